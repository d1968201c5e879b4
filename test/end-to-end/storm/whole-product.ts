/**
Everything that an operator installs on a node, at once: agent, installed driver, watch, daemons, pods; and each of
them killed at random moments.
*/
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {signalProcess} from '../../../src/node/host/process-identity.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {createTreesDirectory} from '../../install/support/install-node.ts';
import {startRandomKills} from './support/random-kills.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {runStorm, stormSize} from './support/run-storm.ts';
import {buildRuntimeTree} from '../../install/support/runtime-tree.ts';
import {startStayingPods} from './support/staying-pods.ts';
import {startStormAgent} from './support/storm-agent.ts';
import {createStormNode} from './support/storm-node.ts';
import {createStormVolumes, createWrittenFiles} from './support/storm-volumes.ts';

const settleMs = 300_000;
/** A daemon that dies all the time is started later and later, up to five minutes. */
const healMs = 330_000;
const trees = createTreesDirectory(remove => test.after.always(remove));

test.serial(
	'an installed node survives kills of daemons, drivers, watch and agent: pods go on, nothing acknowledged is lost, and nothing is left after --uninstall',
	async t => {
		t.timeout(3_600_000);
		const seed = testSeed();
		t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
		const random = createRandomSource(seed);
		const size = stormSize({pods: 4, volumes: 2, rounds: 6});
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t, {isInstalledLater: true, isRunDirectoryInMemory: true});
		const files = createWrittenFiles(node.programs);
		const volumes = createStormVolumes(server, size.volumes);
		const agent = startStormAgent(t, node, buildRuntimeTree(join(trees, 'runtime'), {version: '1.0.0'}));
		// Pods are there before the driver is, as on a new node.
		const staying = await startStayingPods({node, volumes, files, random, countEach: 1, settleMs});
		const killer = startRandomKills(node, random, ['daemon', 'driver', 'watch', 'agent'], {
			watch: agent.killWatch,
			agent: agent.killAgent,
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
		await t.throwsAsync(agent.uninstall(), {message: /Volumes are still used on this node, so nothing was removed/});

		staying.remove();
		await node.kubelet.whenSettled(settleMs);
		// What killed drivers have mounted for pods that are gone, a kubelet finds when it looks at its disk.
		node.kubelet.restart({endsCalls: false});
		await node.kubelet.whenSettled(settleMs);
		t.is(await agent.stop(), 0);
		const said = await agent.uninstall();
		t.regex(said, /^Removed from this node: /);
		await node.whenClean(settleMs);
		const places = ['exec/pnx~volume', 'opt/pnx-volume', 'state', 'driver.log'].map(name => join(node.root, name));
		t.deepEqual(
			[...places, node.runDirectory].filter(path => existsSync(path)),
			[],
			said,
		);
		const client = createTestClient(t, server);
		for (const {bucket} of volumes) {
			t.deepEqual(await files.wrongInBucket(client, bucket), []);
		}

		if (healedMs > 20_000) {
			t.log(agent.lines.filter(line => /"level":"(?:warn|error)"/.test(line)).join('\n'));
		}

		t.log(
			`kills: ${JSON.stringify(counts)}, well ${(healedMs / 1000).toFixed(1)} s after the last one; files: ${JSON.stringify(files.counts)}`,
		);
	},
);
