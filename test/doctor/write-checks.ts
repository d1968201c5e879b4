import test from 'ava';
import {judgeConditions} from '../../src/doctor/write-checks.ts';

test('judgeConditions() tells a server that ignores conditions from one that refuses them', t => {
	t.is(judgeConditions({whenAbsent: 'stored', whenThere: 'refused'}).status, 'ok');
	t.like(judgeConditions({whenAbsent: 'stored', whenThere: 'stored'}), {
		status: 'warning',
		found: 'the server ignores If-None-Match',
	});
	t.like(judgeConditions({whenAbsent: 'refused', whenThere: 'refused'}), {
		status: 'warning',
		found: 'the server refuses If-None-Match',
	});
});
