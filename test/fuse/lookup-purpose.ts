import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import test from 'ava';
import {isLastStep, lookupPurposeOf} from '../../src/fuse/lookup-purpose.ts';
import {createTestDirectory} from '../support/dev-server.ts';
import {eventually} from '../support/volume-nodes.ts';

test('the last step of a path is told from the directories on the way', t => {
	for (const given of ['/mnt/d/e/f', 'd/e/f', 'e/f', 'f', './e/./f', '/mnt//d//e//f', '/mnt/f/d/e/f']) {
		t.true(isLastStep('/d/e/f', given), given);
	}

	for (const given of ['/mnt/d/e/f/g', 'd/e', '', '/', 'other/f', 'd/e/f/', 'link', '../e/f', 'e/f/x/e/f']) {
		t.false(isLastStep('/d/e/f', given), given);
	}

	t.false(isLastStep('/f', 'f/f'), 'the directory, not what is in it');
	t.false(isLastStep('/f', '/f/mnt/f'), 'nobody can tell where the file system is');
	t.false(isLastStep('/f/f', 'f/f'), 'or where the path begins');
});

/** A process that waits in open(2) of a FIFO, which nobody opens for writing. */
test('a call that waits says what it is about', async t => {
	const directory = await createTestDirectory(t);
	const script = 'mkfifo "$1/fifo" && exec cat "$1/fifo"';
	const child = spawn('sh', ['-c', script, 'sh', directory], {stdio: 'ignore'});
	t.teardown(async () => {
		child.kill('SIGKILL');
		await once(child, 'exit');
	});
	const {pid = 0} = child;
	const ask = async () => lookupPurposeOf(pid, '/fifo');
	await eventually(t, 'it waits in open(2)', async () => (await ask())?.call === 'open');
	const flags = {read: true, write: false, append: false, truncate: false, create: false, exclusive: false};
	t.deepEqual(await ask(), {call: 'open', threadId: pid, flags});
	t.is(await lookupPurposeOf(pid, '/other'), undefined, 'a step on the way');
});

test('nothing is said of a thread that is not there, or not in a call that we know', async t => {
	t.is(await lookupPurposeOf(2 ** 30, '/f'), undefined);
	t.is(await lookupPurposeOf(process.pid, join('/', 'f')), undefined);
});
