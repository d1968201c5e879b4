/** One volume, used in every way at once. `PNX_VOLUME_TEST_STORM` set to anything makes 200 mounts of it. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {createStormNode} from './support/storm-node.ts';
import {createPod, createStormVolumes, createWrittenFiles} from './support/storm-volumes.ts';

const settleMs = 300_000;
const manyCount = process.env['PNX_VOLUME_TEST_STORM'] === undefined ? 24 : 200;

test.serial('many mounts of one volume share one daemon, and all of them can go at once', async t => {
	t.timeout(600_000);
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t);
	const files = createWrittenFiles(node.programs);
	const [volume] = createStormVolumes(server, 1);
	const pods = Array.from({length: manyCount}, () => createPod(volume!)); // One was asked for.
	const startedAtMs = performance.now();
	pods.forEach(pod => node.kubelet.add(pod));
	await node.kubelet.whenSettled(settleMs);
	const mountedAtMs = performance.now();
	t.is(node.daemons().length, 1);
	const written = await Promise.all(
		pods.map(async (pod, index) => files.write(node.kubelet.directoryOf(pod), volume!.bucket, `file-${index}`, 1000)),
	);
	t.false(written.includes(false));
	t.deepEqual(await files.wrongInPod(node.kubelet.directoryOf(pods[0]!), volume!.bucket), []);
	const unmountingAtMs = performance.now();
	pods.forEach(pod => node.kubelet.remove(pod));
	await node.kubelet.whenSettled(settleMs);
	await node.whenClean(settleMs);
	t.deepEqual(node.kubelet.events, []);
	t.deepEqual(await files.wrongInBucket(createTestClient(t, server), volume!.bucket), []);
	t.log(
		`${manyCount} mounts in ${((mountedAtMs - startedAtMs) / 1000).toFixed(1)} s, unmounts in ${((performance.now() - unmountingAtMs) / 1000).toFixed(1)} s`,
	);
});

test.serial(
	'pods with options, fsGroup and readOnly of their own use one bucket at once, each as it asked',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t);
		const files = createWrittenFiles(node.programs);
		const [volume] = createStormVolumes(server, 1);
		const ways: ReadonlyArray<Readonly<Record<string, string>>> = [
			{},
			{'kubernetes.io/mounterArgs.FsGroup': '1234'},
			{'kubernetes.io/mounterArgs.FsGroup': '5678'},
			{'kubernetes.io/readwrite': 'ro'},
			{'metadata-ttl': '0s'},
			{durability: 'journal'},
		];
		const pods = [...ways, ...ways].map(way => createPod(volume!, way));
		// The first one makes the bucket: a read-only pod does not, and would have to come again.
		node.kubelet.add(pods[0]!);
		await node.kubelet.whenSettled(settleMs);
		pods.slice(1).forEach(pod => node.kubelet.add(pod));
		await node.kubelet.whenSettled(settleMs);
		t.is(node.daemons().length, ways.length);
		const isReadOnly = (index: number) => index % ways.length === 3;
		const written = await Promise.all(
			pods.map(async (pod, index) => files.write(node.kubelet.directoryOf(pod), volume!.bucket, `file-${index}`, 5000)),
		);
		t.deepEqual(
			written,
			pods.map((_, index) => !isReadOnly(index)),
		);
		t.deepEqual(
			pods.map(pod => mountsAt(readMountTable(), node.kubelet.directoryOf(pod))[0]!.options.includes('ro')),
			pods.map((_, index) => isReadOnly(index)),
		);

		pods.forEach(pod => node.kubelet.remove(pod));
		await node.kubelet.whenSettled(settleMs);
		await node.whenClean(settleMs);
		t.deepEqual(await files.wrongInBucket(createTestClient(t, server), volume!.bucket), []);
		t.deepEqual(node.kubelet.events, []);
	},
);

test.serial('a pod that comes and goes faster than its calls ends as it was last wanted', async t => {
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t);
	const files = createWrittenFiles(node.programs);
	const [volume] = createStormVolumes(server, 1);
	const pods = Array.from({length: 4}, () => createPod(volume!));
	for (let round = 0; round < 6; round++) {
		for (const pod of pods) {
			node.kubelet.add(pod);
			if (round % 2 === 1) {
				await node.kubelet.whenMounted(pod, settleMs);
			}

			node.kubelet.remove(pod);
		}
	}

	pods.slice(0, 2).forEach(pod => node.kubelet.add(pod));
	await node.kubelet.whenSettled(settleMs);
	t.deepEqual(
		pods.map(pod => mountsAt(readMountTable(), node.kubelet.directoryOf(pod)).length),
		[1, 1, 0, 0],
	);
	t.true(await files.write(node.kubelet.directoryOf(pods[0]!), volume!.bucket, 'file', 1000));
	t.deepEqual(await files.wrongInPod(node.kubelet.directoryOf(pods[1]!), volume!.bucket), []);
	pods.forEach(pod => node.kubelet.remove(pod));
	await node.kubelet.whenSettled(settleMs);
	await node.whenClean(settleMs);
	t.deepEqual(node.kubelet.events, []);
});

test.serial(
	'a state directory that is full fails mounts and files, not unmounts; with room again everything goes on',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t, {
			prepare(root) {
				mkdirSync(join(root, 'state'));
				execFileSync('mount', ['-n', '-t', 'tmpfs', '-o', 'size=24m', 'small', join(root, 'state')]);
			},
		});
		const files = createWrittenFiles(node.programs);
		const [volume, other] = createStormVolumes(server, 2);
		const early = [createPod(volume!), createPod(other!), createPod(other!)];
		early.forEach(pod => node.kubelet.add(pod));
		await node.kubelet.whenSettled(settleMs);
		for (const pod of early) {
			const {bucket} = pod === early[0] ? volume! : other!;
			t.true(await files.write(node.kubelet.directoryOf(pod), bucket, `early-${pod.podUid}`, 1000));
		}

		const filler = join(node.stateDirectory, 'filler');
		t.throws(() => writeFileSync(filler, Buffer.alloc(64 * 2 ** 20)), {code: 'ENOSPC'});
		const late = createPod({...volume!, bucket: 'storm-late'});
		node.kubelet.add(late);
		while (node.kubelet.events.length < 2) {
			await node.kubelet.whenMounted(late, 200).catch(() => undefined); // It waits for its time to be over.
		}

		t.regex(node.kubelet.events[0]!, /ENOSPC|no space left/i);
		t.false(await files.write(node.kubelet.directoryOf(early[2]!), other!.bucket, 'too-large', 200_000));
		node.kubelet.remove(early[0]!);
		node.kubelet.remove(early[1]!);
		const isGone = () =>
			early.slice(0, 2).every(pod => mountsAt(readMountTable(), node.kubelet.directoryOf(pod)).length === 0);
		while (!isGone() && node.kubelet.callCounts.unmount < 20) {
			await node.kubelet.whenSettled(200).catch(() => undefined); // Never settled while the late pod is refused.
		}

		t.true(isGone());
		rmSync(filler);
		await node.kubelet.whenSettled(settleMs);
		t.true(await files.write(node.kubelet.directoryOf(late), 'storm-late', 'file', 200_000));
		t.true(await files.write(node.kubelet.directoryOf(early[2]!), other!.bucket, 'file', 200_000));
		[late, early[2]!].forEach(pod => node.kubelet.remove(pod));
		await node.kubelet.whenSettled(settleMs);
		await node.whenClean(settleMs);
		const client = createTestClient(t, server);
		for (const bucket of [volume!.bucket, other!.bucket, 'storm-late']) {
			t.deepEqual(await files.wrongInBucket(client, bucket), []);
		}
	},
);
