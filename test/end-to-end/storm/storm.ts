/**
Real kubelet calls, many at a time, on real daemons. `PNX_VOLUME_TEST_STORM=50x10x20` runs it at the size that is
promised.
*/
import test from 'ava';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {runStorm, stormSize} from './support/run-storm.ts';
import {createStormNode} from './support/storm-node.ts';
import {createStormVolumes, createWrittenFiles} from './support/storm-volumes.ts';

const settleMs = 300_000;

test.serial('pods that come and go by the dozen leave every file in its bucket, and nothing on the node', async t => {
	t.timeout(3_600_000);
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const size = stormSize({pods: 8, volumes: 3, rounds: 3});
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t);
	const files = createWrittenFiles(node.programs);
	const volumes = createStormVolumes(server, size.volumes);
	const startedAtMs = performance.now();
	t.deepEqual(await runStorm({node, volumes, files, size, random: createRandomSource(seed), isRough: false}), []);
	await node.kubelet.whenSettled(settleMs);
	await node.whenClean(settleMs);
	const client = createTestClient(t, server);
	for (const {bucket} of volumes) {
		t.deepEqual(await files.wrongInBucket(client, bucket), []);
	}

	t.deepEqual(node.kubelet.events, []);
	t.is(node.kubelet.callCounts.init, 1);
	t.is(node.kubelet.callCounts.mount, size.pods * size.rounds);
	t.is(node.kubelet.callCounts.unmount, size.pods * size.rounds);
	t.log(
		`${size.pods * size.rounds} pods, ${files.counts.acknowledged} files, ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`,
	);
});
