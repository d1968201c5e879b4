/** Storms in which daemons, drivers, and the watch that heals what they leave are killed at random moments. */
import test from 'ava';
import {listVolumeIds} from '../../../src/node/volumes/volume-directory.ts';
import {signalProcess} from '../../../src/node/host/process-identity.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {startWatch, type RunningWatch} from '../healing/support/healing.ts';
import {startRandomKills} from './support/random-kills.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {runStorm, stormSize} from './support/run-storm.ts';
import {startStayingPods} from './support/staying-pods.ts';
import {createStormNode} from './support/storm-node.ts';
import {createStormVolumes, createWrittenFiles} from './support/storm-volumes.ts';

const settleMs = 300_000;
/** A daemon that dies all the time is started later and later, up to five minutes. */
const healMs = 330_000;

test.serial(
	'pods that stay work again by themselves, with every acknowledged file, however often daemons, drivers and the watch are killed',
	async t => {
		t.timeout(3_600_000);
		const seed = testSeed();
		t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
		const random = createRandomSource(seed);
		const size = stormSize({pods: 4, volumes: 2, rounds: 5});
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t, {isRunDirectoryInMemory: true});
		const files = createWrittenFiles(node.programs);
		const volumes = createStormVolumes(server, size.volumes);
		const watches: RunningWatch[] = [];
		const watchAgain = (): void => {
			watches.push(startWatch(t, node, '--unused-after', '1s', '--keep-for', '10ms'));
		};

		watchAgain();
		const staying = await startStayingPods({node, volumes, files, random, countEach: 2, settleMs});
		const killer = startRandomKills(node, random, ['daemon', 'driver', 'watch'], {
			watch() {
				void watches.at(-1)?.end('SIGKILL');
				watchAgain();
				return true;
			},
		});
		t.deepEqual(await runStorm({node, volumes, files, size, random, isRough: true}), []);
		const counts = await killer.stop();
		// No mount comes any more that would heal them.
		await node.kubelet.whenSettled(settleMs);
		counts.daemon += node.daemons().filter(daemon => signalProcess(daemon, 'SIGKILL')).length;
		const killedAtMs = performance.now();
		t.deepEqual(await staying.settle(), []);
		await staying.whenWell(healMs);
		const healedMs = performance.now() - killedAtMs;
		staying.remove();
		await node.kubelet.whenSettled(settleMs);
		// What killed drivers have mounted for pods that are gone, a kubelet finds when it looks at its disk.
		node.kubelet.restart({endsCalls: false});
		await node.kubelet.whenSettled(settleMs);
		t.true(await watches.at(-1)!.until(() => listVolumeIds(node.stateDirectory).length === 0)); // There is always one.
		t.is(await watches.at(-1)!.end(), 0);
		await node.whenClean(settleMs);
		const client = createTestClient(t, server);
		for (const {bucket} of volumes) {
			t.deepEqual(await files.wrongInBucket(client, bucket), []);
		}

		const healed = watches.flatMap(({notices}) => notices).filter(({reason}) => reason === 'VolumeHealed').length;
		t.true(healed > 0);
		t.log(
			`kills: ${JSON.stringify(counts)}, healed ${healed} times, the last one ${(healedMs / 1000).toFixed(1)} s after the last kill; files: ${JSON.stringify(files.counts)}`,
		);
	},
);
