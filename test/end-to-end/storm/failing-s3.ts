/** Storms while S3 is slow, refuses, drops connections, or is not there at all. */
import {setTimeout as delay} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
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

type Scene = {
	readonly server: SpawnedDevServer;
	readonly node: StormNode;
	readonly files: WrittenFiles;
	readonly volumes: readonly StormVolume[];
};

const setScene = async (t: ExecutionContext, variables: Readonly<Record<string, string>>): Promise<Scene> => {
	t.timeout(3_600_000);
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t, {variables});
	return {
		server,
		node,
		files: createWrittenFiles(node.programs),
		volumes: createStormVolumes(server, stormSize({pods: 6, volumes: 2, rounds: 2}).volumes, {timeout: '3s'}),
	};
};

const storm = async (t: ExecutionContext, {node, volumes, files}: Scene): Promise<void> => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	t.deepEqual(
		await runStorm({
			node,
			volumes,
			files,
			size: stormSize({pods: 6, volumes: 2, rounds: 2}),
			random: createRandomSource(seed),
			isRough: true,
		}),
		[],
	);
};

/**
With S3 well again everything that was acknowledged gets there, whatever had been left in journals, and the node is
empty.
*/
const checkAfterwards = async (t: ExecutionContext, {server, node, volumes, files}: Scene): Promise<void> => {
	await server.setFaults({});
	const pods = volumes.map(volume => createPod(volume));
	pods.forEach(pod => node.kubelet.add(pod));
	await node.kubelet.whenSettled(settleMs);
	pods.forEach(pod => node.kubelet.remove(pod));
	await node.kubelet.whenSettled(settleMs);
	await node.whenClean(settleMs);
	const client = createTestClient(t, server);
	for (const {bucket} of volumes) {
		t.deepEqual(await files.wrongInBucket(client, bucket), []);
	}

	t.true(files.counts.acknowledged > 0);
	t.log(JSON.stringify(files.counts));
};

test.serial(
	'a slow S3 that refuses, breaks off and drops answers in a storm: what close() acknowledged is in the buckets',
	async t => {
		const scene = await setScene(t, {});
		await scene.server.setFaults({
			latencyMs: 30,
			errors: [
				{status: 503, code: 'SlowDown', rate: 0.1},
				{status: 500, code: 'InternalError', rate: 0.05},
			],
			drops: [
				{when: 'before', rate: 0.03},
				{when: 'after', rate: 0.03},
				{when: 'body', rate: 0.03},
			],
		});
		await storm(t, scene);
		await checkAfterwards(t, scene);
	},
);

test.serial(
	'an S3 that is gone for the middle of a storm: mounts fail and are tried again, and nothing acknowledged is lost',
	async t => {
		const scene = await setScene(t, {PNX_VOLUME_MOUNT_TIMEOUT_MS: '60000', PNX_VOLUME_DRAIN_TIMEOUT_MS: '2000'});
		const {server, node} = scene;
		let isOver = false;
		const over = storm(t, scene).finally(() => {
			isOver = true;
		});
		// Both ends of the outage are tied to what the kubelet has seen, not to a clock.
		const until = async (isEnough: () => boolean): Promise<void> => {
			while (!isEnough()) {
				await delay(20);
			}
		};

		await until(() => isOver || node.kubelet.callCounts.unmount >= 2);
		await server.setFaults({down: true});
		// Pods of volumes that are served already can come all the time. This one cannot: its daemon has to ask for its
		// bucket.
		const late = createPod({...scene.volumes[0]!, bucket: 'storm-late'}); // There is one at least.
		node.kubelet.add(late);
		await until(() => node.kubelet.events.some(event => event.includes(late.podUid)));
		await server.setFaults({});
		await over;
		await node.kubelet.whenMounted(late, settleMs);
		node.kubelet.remove(late);
		await checkAfterwards(t, scene);
	},
);
