import test from 'ava';
import {toCheck} from '../../src/doctor/check.ts';

test('toCheck() is as bad as the worst finding, names the worst first, each remedy once, and no more than five', t => {
	const warnings = ['a', 'b', 'c', 'd', 'e'].map(found => ({status: 'warning', found, remedy: 'look'}) as const);
	t.deepEqual(toCheck('x', [...warnings, {status: 'failed', found: 'f', remedy: 'mend'}], 'good'), {
		name: 'x',
		status: 'failed',
		found: 'f; a; b; c; d; and 1 more',
		remedy: 'mend; look',
	});
	t.deepEqual(toCheck('x', [], 'good'), {name: 'x', status: 'ok', found: 'good'});
});
