import {spawn} from 'node:child_process';
import {once} from 'node:events';
import test from 'ava';
import {isRunning, readProcessIdentity, signalProcess} from '../../../src/node/host/process-identity.ts';

test('isRunning() tells a process from another one that has its pid now', t => {
	const own = readProcessIdentity(process.pid);
	t.true(isRunning(own!));
	t.false(isRunning({...own!, startTicks: '1'}));
	t.false(isRunning({...own!, bootId: 'an older boot'}));
});

test('signalProcess() never signals a process that merely has the pid', t => {
	const own = readProcessIdentity(process.pid)!;
	t.false(signalProcess({...own, bootId: 'an older boot'}, 'SIGKILL'));
});

test('readProcessIdentity() reads names with spaces and parentheses, and finds nothing after the end', async t => {
	const child = spawn('/bin/sh', ['-c', 'printf "a) R 1 (b" >/proc/$$/comm; echo; read line'], {
		stdio: ['pipe', 'pipe', 'ignore'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	await once(child.stdout, 'data');
	const identity = readProcessIdentity(child.pid!);
	t.regex(identity!.startTicks, /^\d+$/);
	t.true(isRunning(identity!));
	child.stdin.end();
	await once(child, 'close');
	t.false(isRunning(identity!));
	t.is(readProcessIdentity(child.pid!), undefined);
});
