/** A daemon that is killed while a thread of it waits for its own mount: only an abort of the connection ends it. */
import {existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {waitUntil, createDeadline} from '../../../src/node/deadline.ts';
import {canAnswer, readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createStandInHarness, type DriverHarness} from '../../support/driver.ts';
import {fuse, testThatNeeds} from '../../support/needs.ts';
import {heal, inDirectory, runPnxVolume, startWatch, stateOf} from '../healing/support/healing.ts';

const {serial: testOnMount} = testThatNeeds(fuse);

const isRunning = (pid: number): boolean => readProcessIdentity(pid) !== undefined;

const mountsBelow = (node: DriverHarness): string[] =>
	readMountTable()
		.filter(({path}) => path.startsWith(dirname(node.stateDirectory)))
		.map(({path}) => path);

/** Kills the daemon of the only volume; it runs on, and waits for itself. Its process id. */
const killInOwnMount = async (t: ExecutionContext, node: DriverHarness): Promise<number> => {
	const daemon = stateOf(node).daemon!;
	process.kill(daemon.pid, 'SIGHUP');
	t.true(await waitUntil(() => !canAnswer(daemon), createDeadline(300_000)));
	t.true(isRunning(daemon.pid));
	return daemon.pid;
};

const mountOne = async (t: ExecutionContext): Promise<{node: DriverHarness; directory: string; pid: number}> => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is((await node.mount(directory, {name: 'selfish-1'})).reply.status, 'Success');
	return {node, directory, pid: await killInOwnMount(t, node)};
};

testOnMount(
	'mount fails at once when its daemon dies waiting for its own mount, and the next one succeeds',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const {reply} = await node.mount(directory, {name: 'selfish-early-1'});
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, /ended before it was ready; see .*driver\.log$/);
		t.false(isRunning(node.starts()[0]!.pid));
		t.deepEqual(mountsBelow(node), []);
		t.is((await node.mount(directory, {name: 'selfish-early-1'})).reply.status, 'Success');
		t.is((await node.unmount(directory)).reply.status, 'Success');
	},
);

testOnMount('mount of another pod replaces a daemon that died waiting for its own mount', async t => {
	const {node, directory, pid} = await mountOne(t);
	const other = node.podDirectory('uid-2');
	t.deepEqual((await node.mount(other, {name: 'selfish-1'})).reply, {status: 'Success'});
	t.false(isRunning(pid));
	t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');
	t.is(await inDirectory(other, 'cat "$1/file"'), 'hello');
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.is((await node.unmount(other)).reply.status, 'Success');
	t.deepEqual(mountsBelow(node), []);
});

testOnMount('unmount ends a daemon that died waiting for its own mount', async t => {
	const {node, directory, pid} = await mountOne(t);
	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	t.false(isRunning(pid));
	t.deepEqual(mountsBelow(node), []);
});

testOnMount('heal and watch replace a daemon that died waiting for its own mount', async t => {
	const {node, directory, pid} = await mountOne(t);
	t.regex((await heal(node)).output, /started again/);
	t.false(isRunning(pid));
	t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');

	const second = await killInOwnMount(t, node);
	const watch = startWatch(t, node);
	t.truthy(await watch.notice('VolumeHealed'));
	t.false(isRunning(second));
	t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');
	await watch.end();
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

testOnMount('status and doctor tell of a daemon that died waiting for its own mount, and end', async t => {
	const {node, directory} = await mountOne(t);
	t.regex((await runPnxVolume(node, 'status')).output, /selfish-1.*dead/);
	t.regex((await runPnxVolume(node, 'doctor')).output, /selfish-1[^]*pnx-volume heal/);
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

testOnMount('a directory that is mounted by hand is mounted again, or unmounted, after such a death', async t => {
	const node = createStandInHarness(t);
	const directory = join(node.kubeletDirectory, 'by-hand');
	mkdirSync(directory);
	t.regex((await runPnxVolume(node, 'mount', 'selfish-1', directory, '--background')).output, /Mounted/);
	const first = await killInOwnMount(t, node);
	const {output} = await runPnxVolume(node, 'mount', 'selfish-1', directory, '--background');
	t.regex(output, /Mounted/);
	t.false(isRunning(first));
	t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');

	const second = await killInOwnMount(t, node);
	t.regex((await runPnxVolume(node, 'unmount', directory)).output, /Unmounted/);
	t.false(isRunning(second));
	t.deepEqual(mountsAt(readMountTable(), directory), []);
	t.deepEqual(readdirSync(directory), []);
	t.false(existsSync(node.logPath) && readFileSync(node.logPath, 'utf8').includes('bug'));
});
