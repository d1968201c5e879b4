import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import test from 'ava';
import {finishVolume} from '../../../src/healing/finish-volume.ts';
import {readNodeEnvironment} from '../../../src/node/node-environment.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {createStandInHarness, driverPath, toKubeletJson, type DriverHarness} from '../../support/driver.ts';

const isAlive = (pid: number) => readProcessIdentity(pid) !== undefined;
const isMounted = (path: string) => mountsAt(readMountTable(), path).length > 0;
const volumes = (node: DriverHarness) => readdirSync(join(node.stateDirectory, 'volumes'));
const stateFileOf = (node: DriverHarness, volumeId: string) =>
	join(node.stateDirectory, 'volumes', volumeId, 'state.json');

test.serial('unmount fails and keeps everything while bytes are not in S3', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'dirty-1'});
	const {reply, exitCode} = await node.unmount(directory);
	t.is(reply.status, 'Failure');
	t.is(exitCode, 0);
	t.regex(
		reply.message!,
		/^Cannot unmount .*: 4 KiB of bucket dirty-1 are not in S3: the bucket refuses the upload \(403 AccessDenied\)\. It stays mounted and keeps trying/,
	);
	t.true(isMounted(directory));
	t.true(isAlive(node.starts()[0]!.pid));
});

test.serial('unmount waits for uploads', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'slow-1'});
	const {reply, durationMs} = await node.unmount(directory);
	t.is(reply.status, 'Success');
	t.true(durationMs > 1900, `${durationMs} ms`);
	t.deepEqual(volumes(node), []);
});

test.serial('a daemon that was killed: unmount succeeds, keeps its journal, and the next mount gets it', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'leaves-1'});
	const first = node.starts()[0]!;
	process.kill(first.pid, 'SIGKILL');

	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	t.notThrows(() => rmdirSync(directory));
	const journal = join(first.request.volumeDirectory, 'staging', 'journal');
	t.true(existsSync(journal));
	t.deepEqual(readdirSync(first.request.volumeDirectory).sort(), ['staging', 'state.json']);

	const again = node.podDirectory('uid-2');
	t.is((await node.mount(again, {name: 'leaves-1'})).reply.status, 'Success');
	t.is(node.starts()[1]!.request.volumeDirectory, first.request.volumeDirectory);
	t.true(existsSync(journal));
	await node.unmount(again);
});

test.serial('a daemon that was killed: mount on the dead directory makes it live again', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	process.kill(node.starts()[0]!.pid, 'SIGKILL');
	t.is((await node.mount(directory, {name: 'bucket-1'})).output, '{"status":"Success"}\n');
	t.is(node.starts().length, 2);
	const [state] = readAllVolumeStates(node.stateDirectory);
	// It is mounted, so there is one.
	t.is(mountsAt(readMountTable(), directory).at(-1)?.device, mountsAt(readMountTable(), state!.mountPoint)[0]?.device);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.deepEqual(volumes(node), []);
});

test.serial(
	'a daemon that was killed while two pods used it: a new pod gets a new one, and the old pods can go',
	async t => {
		const node = createStandInHarness(t);
		const [first, second, third] = ['a', 'b', 'c'].map(uid => node.podDirectory(uid)) as [string, string, string];
		await node.mount(first, {name: 'bucket-1'});
		await node.mount(second, {name: 'bucket-1'});
		process.kill(node.starts()[0]!.pid, 'SIGKILL');
		t.is((await node.mount(third, {name: 'bucket-1'})).reply.status, 'Success');
		t.is((await node.unmount(first)).reply.status, 'Success');
		t.is((await node.unmount(second)).reply.status, 'Success');
		t.true(isAlive(node.starts()[1]!.pid));
		writeFileSync(join(third, 'file'), 'alive');
		t.is((await node.unmount(third)).reply.status, 'Success');
		t.false(isAlive(node.starts()[1]!.pid));
		t.deepEqual(volumes(node), []);
	},
);

test.serial('a pod that still has the mount of an earlier daemon is not forgotten when others come and go', async t => {
	const node = createStandInHarness(t);
	const [old, other] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	await node.mount(old, {name: 'bucket-1'});
	process.kill(node.starts()[0]!.pid, 'SIGKILL');
	await node.mount(other, {name: 'bucket-1'});
	execFileSync('umount', [old]); // As if its mount could not be renewed.
	t.is(mountsAt(readMountTable(), old).length, 1);
	const {pid, request} = node.starts()[1]!;

	t.is((await node.unmount(other)).reply.status, 'Success');
	t.true(isAlive(pid));
	t.deepEqual(
		readAllVolumeStates(node.stateDirectory).map(({pods}) => pods.map(({path}) => path)),
		[[old]],
	);
	t.is(
		await finishVolume(request.volumeId, readNodeEnvironment(node.variables, ''), {keepMs: 0}),
		'in use',
		'It waits to be healed',
	);

	t.is((await node.mount(other, {name: 'bucket-1'})).reply.status, 'Success');
	t.is(node.starts().length, 2);
	writeFileSync(join(other, 'file'), 'shared');
	t.is(readFileSync(join(old, 'file'), 'utf8'), 'shared');
	for (const directory of [other, old]) {
		t.is((await node.unmount(directory)).reply.status, 'Success');
	}

	t.deepEqual(volumes(node), []);
});

test.serial('unmount takes away mounts that are stacked at the directory', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	execFileSync('mount', ['-n', '-t', 'tmpfs', 'stacked', directory]);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.false(isMounted(directory));
	t.deepEqual(volumes(node), []);
});

test.serial('unmount of a directory that a process is in succeeds', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const cwd = process.cwd();
	process.chdir(directory);
	const {reply} = await node.unmount(directory).finally(() => process.chdir(cwd));
	t.is(reply.status, 'Success');
	t.false(isMounted(directory));
});

test.serial(
	'a state directory from before a reboot: pids that others have now are left alone, and mounts are made anew',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		await node.mount(directory, {name: 'bucket-1'});
		const {pid, request} = node.starts()[0]!;
		const stateFile = stateFileOf(node, request.volumeId);
		const state = readFileSync(stateFile, 'utf8');
		process.kill(pid, 'SIGKILL');
		execFileSync('umount', [directory]);
		execFileSync('umount', [join(request.volumeDirectory, 'mount')]);
		// The pid is ours now: a driver that trusted it would kill this test.
		writeFileSync(
			stateFile,
			state.replace(`"pid": ${pid}`, `"pid": ${process.pid}`).replace(/"bootId": "[^"]*"/, '"bootId": "an-older-boot"'),
		);

		t.is((await node.mount(directory, {name: 'bucket-1'})).reply.status, 'Success');
		t.is(node.starts().length, 2);
		t.is((await node.unmount(directory)).reply.status, 'Success');
		t.deepEqual(volumes(node), []);
	},
);

test.serial('a state directory from before a reboot: unmount of a pod that never came back cleans up', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {pid, request} = node.starts()[0]!;
	process.kill(pid, 'SIGKILL');
	execFileSync('umount', [directory]);
	execFileSync('umount', [join(request.volumeDirectory, 'mount')]);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.deepEqual(volumes(node), []);
});

test.serial('a state file that is damaged does not stop mount or unmount', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	writeFileSync(stateFileOf(node, node.starts()[0]!.request.volumeId), '{"formatVersion":1,');
	const second = node.podDirectory('uid-2');
	t.is((await node.mount(second, {name: 'bucket-1'})).reply.status, 'Success');
	t.is(node.starts().length, 1);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.is((await node.unmount(second)).reply.status, 'Success');
	t.false(isMounted(directory) || isMounted(second));
	t.deepEqual(volumes(node), []);
});

test.serial(
	'a state file that is damaged: the pods that the mount table shows keep their daemon when another one fails, comes or goes',
	async t => {
		const node = createStandInHarness(t);
		const [a, b, c] = [node.podDirectory('uid-1'), node.podDirectory('uid-2'), node.podDirectory('uid-3')];
		await node.mount(a, {name: 'bucket-1'});
		await node.mount(b, {name: 'bucket-1'});
		const {
			pid,
			request: {volumeId, volumeDirectory},
		} = node.starts()[0]!;
		t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL')); // The harness finds daemons through the state.
		writeFileSync(stateFileOf(node, volumeId), '');

		writeFileSync(join(c, 'stray'), 'x');
		t.is((await node.mount(c, {name: 'bucket-1'})).reply.status, 'Failure');
		t.true(isAlive(pid) && existsSync(join(volumeDirectory, 'control.sock')));
		rmSync(join(c, 'stray'));
		t.is((await node.mount(c, {name: 'bucket-1'})).reply.status, 'Success');
		t.is((await node.unmount(c)).reply.status, 'Success');
		t.true(isAlive(pid) && isMounted(a) && isMounted(b));
		t.is(node.starts().length, 1);

		t.is((await node.unmount(a)).reply.status, 'Success');
		t.true(isAlive(pid) && isMounted(b));
		t.is((await node.unmount(b)).reply.status, 'Success');
		t.false(isAlive(pid));
		t.deepEqual(volumes(node), []);
	},
);

test.serial('a state file of a newer version is left as it is, and its volume is not mounted', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {volumeId} = node.starts()[0]!.request;
	await node.unmount(directory);
	const newer = '{"formatVersion":2,"volumeId":"x"}';
	mkdirSync(dirname(stateFileOf(node, volumeId)), {recursive: true});
	writeFileSync(stateFileOf(node, volumeId), newer);
	const {reply} = await node.mount(node.podDirectory('uid-2'), {name: 'bucket-1'});
	t.is(reply.status, 'Failure');
	t.regex(reply.message ?? '', /^Cannot mount bucket bucket-1: .*state\.json was written by a newer version/);
	t.is(readFileSync(stateFileOf(node, volumeId), 'utf8'), newer);
	t.is(node.starts().length, 1);
});

test.serial('a daemon that no longer answers: other pods are told, unmount of the last one kills it', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {pid} = node.starts()[0]!;
	process.kill(pid, 'SIGSTOP');
	const {reply, durationMs} = await node.callWith(
		{PNX_VOLUME_MOUNT_TIMEOUT_MS: '3000'},
		'mount',
		node.podDirectory('uid-2'),
		toKubeletJson(node.podDirectory('uid-2'), {name: 'bucket-1'}),
	);
	t.is(reply.status, 'Failure');
	t.regex(
		reply.message!,
		new RegExp(
			`The daemon of bucket bucket-1 \\(pid ${pid}\\) does not answer while other pods use it; .*kill -9 ${pid}`,
		),
	);
	t.true(durationMs < 90_000, `${durationMs} ms`);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.false(isMounted(directory));
	t.false(isAlive(pid));
	t.deepEqual(volumes(node), []);
});

test.serial(
	'a full state directory: mount fails clearly and leaves nothing, unmount of an older mount works',
	async t => {
		const node = createStandInHarness(t);
		mkdirSync(node.stateDirectory);
		execFileSync('mount', ['-n', '-t', 'tmpfs', '-o', 'size=256k', 'small', node.stateDirectory]);
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		t.is((await node.mount(first, {name: 'bucket-1'})).reply.status, 'Success');
		t.throws(() => writeFileSync(join(node.stateDirectory, 'filler'), Buffer.alloc(1_048_576)), {code: 'ENOSPC'});

		const {reply} = await node.mount(second, {name: 'bucket-2'});
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, /ENOSPC: no space left on device.*make room in the file system of the state directory/);
		t.false(isMounted(second));
		t.deepEqual(readdirSync(second), []);
		t.deepEqual(volumes(node), [node.starts()[0]!.request.volumeId]);
		t.false(isAlive(node.starts().at(-1)!.pid) && node.starts().length > 1);

		t.is((await node.unmount(first)).reply.status, 'Success');
		t.false(isMounted(first));
		t.deepEqual(volumes(node), []);
		t.deepEqual(
			readMountTable()
				.filter(({path}) => path.startsWith(`${dirname(node.stateDirectory)}/`))
				.map(({path}) => path),
			[node.stateDirectory],
		);
	},
);

test.serial(
	'a driver that is killed while it waits for its daemon: unmount ends that daemon, and mount starts over',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const startAndKillDriver = async () => {
			const known = node.starts().length;
			const child = spawn(driverPath, ['mount', directory, toKubeletJson(directory, {name: 'hangs-1'})], {
				env: {PATH: '/usr/bin:/bin', ...node.variables},
				stdio: 'ignore',
				detached: true,
			});
			while (
				node.starts().length === known ||
				readAllVolumeStates(node.stateDirectory)[0]?.daemon?.pid !== node.starts().at(-1)!.pid
			) {
				await delay(20);
			}

			process.kill(-child.pid!, 'SIGKILL'); // It runs: it has started a daemon.
			return node.starts().at(-1)!.pid;
		};

		const first = await startAndKillDriver();
		t.true(isAlive(first));
		t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
		t.false(isAlive(first));
		t.deepEqual(volumes(node), []);

		const second = await startAndKillDriver();
		const {reply} = await node.callWith(
			{PNX_VOLUME_MOUNT_TIMEOUT_MS: '2000'},
			'mount',
			directory,
			toKubeletJson(directory, {name: 'hangs-1'}),
		);
		t.is(reply.status, 'Failure');
		t.false(isAlive(second));
		t.false(node.starts().some(({pid}) => isAlive(pid)));
		t.deepEqual(volumes(node), []);
	},
);
