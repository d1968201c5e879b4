/** What happens to a daemon between its volume's last pod and the next: it stays for a while, then ends by itself. */
import {execFile} from 'node:child_process';
import {existsSync, readdirSync, rmdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {isRunning, type ProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {createDriverHarness, createStandInHarness, type DriverHarness} from '../../support/driver.ts';

const run = promisify(execFile);
const succeeded = '{"status":"Success"}\n';
const longMs = '600000';
const endMs = 300_000;

/** What a pod does: always in a process of its own, so that this one never waits for its own mounts. */
const inPod = async (directory: string, script: string): Promise<string> =>
	(await run('/bin/sh', ['-ec', script], {cwd: '/', env: {PATH: '/usr/bin:/bin', D: directory}, timeout: 300_000}))
		.stdout;

const optionsFor = ({endpoint, bucket, credentials}: SpawnedDevServer): Record<string, string> => ({
	name: bucket,
	endpoint,
	'path-style': 'true',
	'kubernetes.io/secret/access-key-id': Buffer.from(credentials.accessKeyId).toString('base64'),
	'kubernetes.io/secret/secret-access-key': Buffer.from(credentials.secretAccessKey).toString('base64'),
});

// A volume is mounted.
const daemonOf = (node: DriverHarness): ProcessIdentity => readAllVolumeStates(node.stateDirectory)[0]!.daemon!;

/** The cgroups of all volumes, in every hierarchy. */
const ownCgroups = (): string[] =>
	readMountTable()
		.filter(({type}) => type === 'cgroup' || type === 'cgroup2')
		.flatMap(({path}) => (existsSync(join(path, 'pnx-volume')) ? readdirSync(join(path, 'pnx-volume')) : []));

/** Nothing of a volume is left: no mount, no process, no file but the kept locks' directory. */
const assertGone = async (
	t: ExecutionContext,
	node: DriverHarness,
	{volumeId, daemon}: {volumeId: string; daemon: ProcessIdentity},
): Promise<void> => {
	t.true(await waitUntil(() => !isRunning(daemon), createDeadline(endMs)), 'the daemon ends');
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
	t.deepEqual(
		readMountTable().filter(({path}) => path.startsWith(`${dirname(node.stateDirectory)}/`)),
		[],
	);
	t.false(ownCgroups().includes(volumeId));
};

test.serial(
	'a pod that comes back within the idle time finds its daemon, which ends after the last has gone for good',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t, {PNX_VOLUME_IDLE_MS: longMs});
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		t.is((await node.mount(first, optionsFor(server))).output, succeeded);
		const {volumeId} = readAllVolumeStates(node.stateDirectory)[0]!; // As above.
		const daemon = daemonOf(node);
		await inPod(first, 'echo hello >"$D/greeting"');

		t.is((await node.unmount(first)).output, succeeded);
		rmdirSync(first); // As the kubelet does.
		t.true(isRunning(daemon));
		t.deepEqual(readAllVolumeStates(node.stateDirectory)[0]?.pods, []);
		t.is((await node.unmount(first)).output, succeeded);

		t.is((await node.mount(second, optionsFor(server))).output, succeeded);
		t.deepEqual(daemonOf(node), daemon);
		t.is(await inPod(second, 'cat "$D/greeting"'), 'hello\n');
		t.is((await node.callWith({PNX_VOLUME_IDLE_MS: '10'}, 'unmount', second)).output, succeeded);
		await assertGone(t, node, {volumeId, daemon});
		rmdirSync(second);
	},
);

test.serial('an idle time that ends while a pod uses the volume again ends nothing', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is((await node.mount(directory, optionsFor(server))).output, succeeded);
	let daemon: ReturnType<typeof daemonOf>;
	// As long as this machine needs for an unmount and a mount.
	let idleMs = 1000;
	do {
		daemon = daemonOf(node);
		idleMs *= 2;
		t.is((await node.callWith({PNX_VOLUME_IDLE_MS: String(idleMs)}, 'unmount', directory)).output, succeeded);
		t.is((await node.mount(directory, optionsFor(server))).output, succeeded);
	} while (daemonOf(node).pid !== daemon.pid && idleMs < 100_000);

	t.deepEqual(daemonOf(node), daemon);
	t.true(await waitUntil(() => node.log().includes('pods use the volume again'), createDeadline(endMs)));
	t.true(isRunning(daemon));
	t.is(await inPod(directory, 'echo hello >"$D/greeting"; cat "$D/greeting"'), 'hello\n');
});

test.serial(
	'a mount at the moment when the idle time ends finds a daemon that goes on, or a clean directory',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t);
		const directory = node.podDirectory('uid-1');
		// Around the moment at which the idle time ends before the next mount has the lock, wherever that lies here:
		// shorter after a daemon that was met, longer after one that had ended. It ends when both were seen several times.
		let idleMs = 100;
		let last: number | undefined;
		const counts = {met: 0, ended: 0};
		for (let round = 0; round < 60 && Math.min(counts.met, counts.ended) < 3; round++) {
			const mounted = await node.mount(directory, optionsFor(server));
			t.is(mounted.output, succeeded, `round ${round}`);
			const {pid} = daemonOf(node);
			if (last !== undefined) {
				counts[pid === last ? 'met' : 'ended']++;
				idleMs = Math.ceil(idleMs * (pid === last ? 0.7 : 1.3));
			}

			last = pid;
			t.is(await inPod(directory, `echo ${round} >"$D/round-${round}"; ls "$D" | wc -l`), `${round + 1}\n`);
			t.is((await node.callWith({PNX_VOLUME_IDLE_MS: String(idleMs)}, 'unmount', directory)).output, succeeded);
		}

		t.true(counts.met > 0 && counts.ended > 0, JSON.stringify(counts));
		const [left] = readAllVolumeStates(node.stateDirectory);
		if (left?.daemon !== undefined) {
			await assertGone(t, node, {volumeId: left.volumeId, daemon: left.daemon});
		}
	},
);

test.serial('a daemon that ends by itself leaves a journal that holds anything, and the next one has it', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t, {PNX_VOLUME_IDLE_MS: longMs});
	const directory = node.podDirectory('uid-1');
	t.is((await node.mount(directory, optionsFor(server))).output, succeeded);
	const [state] = readAllVolumeStates(node.stateDirectory);
	const staging = join(node.stateDirectory, 'volumes', state!.volumeId, 'staging');
	writeFileSync(join(staging, 'bytes'), 'that S3 lacks');
	t.is((await node.callWith({PNX_VOLUME_IDLE_MS: '10'}, 'unmount', directory)).output, succeeded);
	t.true(await waitUntil(() => !isRunning(state!.daemon!), createDeadline(endMs)));
	const [left] = readAllVolumeStates(node.stateDirectory);
	t.like(left, {volumeId: state!.volumeId, pods: []});
	t.is(left?.daemon, undefined);
	t.deepEqual(readdirSync(staging).includes('bytes'), true);
	t.is((await node.mount(directory, optionsFor(server))).output, succeeded);
});

test.serial(
	"the daemon of an older version, which knows no idle time, ends with the last pod; a newer one's unknown words are passed over",
	async t => {
		const node = createStandInHarness(t, {PNX_VOLUME_IDLE_MS: longMs});
		for (const bucket of ['older-1', 'newer-1']) {
			const [first, second] = [node.podDirectory(`${bucket}-1`), node.podDirectory(`${bucket}-2`)];
			t.is((await node.mount(first, {name: bucket})).output, succeeded);
			const {volumeId} = readAllVolumeStates(node.stateDirectory)[0]!; // As above.
			const daemon = daemonOf(node);
			t.is((await node.mount(second, {name: bucket})).output, succeeded);
			t.deepEqual(daemonOf(node), daemon);
			t.is((await node.unmount(first)).output, succeeded);
			t.is((await node.unmount(second)).output, succeeded);
			if (bucket === 'older-1') {
				await assertGone(t, node, {volumeId, daemon});
			} else {
				t.true(isRunning(daemon));
			}
		}
	},
);
