/**
Storms in which daemons, drivers and the kubelet are killed at random moments; `PNX_VOLUME_TEST_SEED` repeats the
choices of a run.
*/
import test, {type ExecutionContext} from 'ava';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {startRandomKills, type Kill} from './support/random-kills.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {runStorm, stormSize} from './support/run-storm.ts';
import {createStormNode, type StormNode} from './support/storm-node.ts';
import {
	createPod,
	createStormVolumes,
	createWrittenFiles,
	type StormVolume,
	type WrittenFiles,
} from './support/storm-volumes.ts';

const settleMs = 300_000;

/**
One more pod on each volume: it sees every acknowledged file, those of journals that a killed daemon left included,
and can write.
*/
const visitEveryVolume = async (
	t: ExecutionContext,
	node: StormNode,
	volumes: readonly StormVolume[],
	files: WrittenFiles,
): Promise<void> => {
	const pods = volumes.map(volume => createPod(volume));
	pods.forEach(pod => node.kubelet.add(pod));
	await node.kubelet.whenSettled(settleMs);
	for (const [index, {bucket}] of volumes.entries()) {
		const directory = node.kubelet.directoryOf(pods[index]!); // One for each volume.
		t.deepEqual(await files.wrongInPod(directory, bucket), []);
		t.true(await files.write(directory, bucket, 'last', 1000), bucket);
	}

	pods.forEach(pod => node.kubelet.remove(pod));
	await node.kubelet.whenSettled(settleMs);
};

const stormWithKills = async (t: ExecutionContext, kills: readonly Kill[]): Promise<void> => {
	t.timeout(3_600_000);
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	const size = stormSize({pods: 6, volumes: 2, rounds: 3});
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t);
	const files = createWrittenFiles(node.programs);
	const volumes = createStormVolumes(server, size.volumes);
	const killer = startRandomKills(node, random, kills);
	const findings = await runStorm({node, volumes, files, size, random, isRough: true});
	const counts = await killer.stop();
	t.deepEqual(findings, []);
	for (const kill of kills) {
		t.true(counts[kill] > 0, `No ${kill} was killed`);
	}

	// A driver that was killed may have mounted: no kubelet unmounts that for a pod that is gone before it looks at
	// its disk again.
	await node.kubelet.whenSettled(settleMs);
	node.kubelet.restart({endsCalls: false});
	await node.kubelet.whenSettled(settleMs);
	await visitEveryVolume(t, node, volumes, files);
	await node.whenClean(settleMs);
	const client = createTestClient(t, server);
	for (const {bucket} of volumes) {
		t.deepEqual(await files.wrongInBucket(client, bucket), []);
	}

	t.log(
		`kills: ${JSON.stringify(counts)}, files: ${JSON.stringify(files.counts)}, events: ${node.kubelet.events.length}`,
	);
};

test.serial('daemons that are killed in a storm lose no acknowledged file, and nothing stays behind', async t =>
	stormWithKills(t, ['daemon']),
);
test.serial('drivers and kubelets that are killed in a storm leave nothing behind', async t =>
	stormWithKills(t, ['driver', 'kubelet']),
);
test.serial('daemons, drivers and kubelets are killed in one storm', async t =>
	stormWithKills(t, ['daemon', 'driver', 'kubelet']),
);
