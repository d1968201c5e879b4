import {spawn} from 'node:child_process';
import {once} from 'node:events';
import test from 'ava';
import {hasDeadlySignal, isDying} from '../../../src/fuse/kernel/dying-thread.ts';

const status = (values: Partial<Record<'SigPnd' | 'ShdPnd' | 'SigBlk' | 'SigIgn' | 'SigCgt', number>>): string =>
	['SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt']
		.map(name => `${name}:\t${((values as Record<string, number>)[name] ?? 0).toString(16).padStart(16, '0')}`)
		.join('\n');
const bit = (signal: number): number => 2 ** (signal - 1);
const [quit, kill, term, child] = [3, 9, 15, 17];

test('a signal that nothing catches is deadly, and one that is caught, ignored or blocked is not', t => {
	t.true(hasDeadlySignal(status({SigPnd: bit(kill)})));
	t.true(hasDeadlySignal(status({ShdPnd: bit(term)})));
	t.true(hasDeadlySignal(status({ShdPnd: bit(quit), SigCgt: bit(term)})));
	t.false(hasDeadlySignal(status({})));
	t.false(hasDeadlySignal(status({ShdPnd: bit(child)})));
	for (const how of ['SigCgt', 'SigIgn', 'SigBlk'] as const) {
		t.false(hasDeadlySignal(status({ShdPnd: bit(term), [how]: bit(term)})), how);
		t.true(hasDeadlySignal(status({SigPnd: bit(kill), [how]: bit(term)})), how);
	}
});

test('a process that runs is not dying, and neither is one that is not seen', async t => {
	const program = spawn('sleep', ['100']);
	t.teardown(() => program.kill('SIGKILL'));
	await once(program, 'spawn');
	t.false(await isDying(program.pid!)); // It was spawned.
	t.false(await isDying(0));
	t.false(await isDying(2 ** 22 + 1)); // Above the largest that there can be.
});
