/** Versions side by side on one node, put there by the installer, with real daemons of each. */
import {execFile} from 'node:child_process';
import {existsSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {createNodeRoot} from '../../../src/install/node-root.ts';
import type {InstallOutcome} from '../../../src/install/install-on-node.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {createTreesDirectory, install} from '../../install/support/install-node.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {runStorm, stormSize} from '../storm/support/run-storm.ts';
import {buildRuntimeTree, copyRuntimeTree} from '../../install/support/runtime-tree.ts';
import {createStormNode, type StormNode} from '../storm/support/storm-node.ts';
import {createPod, createStormVolumes, createWrittenFiles} from '../storm/support/storm-volumes.ts';

const run = promisify(execFile);
const settleMs = 300_000;
const trees = createTreesDirectory(remove => test.after.always(remove));
const first = buildRuntimeTree(join(trees, 'first'), {version: '1.0.0'});
const second = copyRuntimeTree(first, join(trees, 'second'), {version: '1.1.0', change: 'the second'});
const third = copyRuntimeTree(first, join(trees, 'third'), {version: '1.2.0', change: 'the third'});

const runtimeDirectoryOf = (node: StormNode) => join(node.root, 'opt', 'pnx-volume');

const installOn = async (node: StormNode, source: string): Promise<InstallOutcome> =>
	install({root: createNodeRoot(undefined), directory: node.root}, source, {
		pluginDirectory: join(node.root, 'exec'),
		stateDirectory: node.stateDirectory,
		variables: {PNX_VOLUME_STATE_DIR: node.stateDirectory},
	});

/** Bucket and version of each volume, as the installed command line tells them. */
const versionsInStatus = async (node: StormNode): Promise<Record<string, string | undefined>> => {
	const {stdout} = await run(join(runtimeDirectoryOf(node), 'current', 'bin', 'pnx-volume'), ['status', '--json'], {
		env: {PATH: '/usr/bin:/bin', ...node.variables},
	});
	const volumes = JSON.parse(stdout) as Array<{bucket: string; daemon?: {version: string}}>;
	return Object.fromEntries(volumes.map(({bucket, daemon}) => [bucket, daemon?.version]));
};

test.serial(
	'an upgrade: running daemons go on, new volumes get the new version, and the old one goes when nobody uses it',
	async t => {
		t.timeout(600_000);
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t, {isInstalledLater: true});
		const files = createWrittenFiles(node.programs);
		const [old, fresh] = createStormVolumes(server, 2);
		const [oldPod, joining, newPod] = [createPod(old!), createPod(old!), createPod(fresh!)]; // As many as asked for.
		const write = async (pod: typeof oldPod, name: string) =>
			files.write(node.kubelet.directoryOf(pod), pod === newPod ? fresh!.bucket : old!.bucket, name, 5000);

		// The pod is there before the driver is, as on a new node.
		node.kubelet.add(oldPod);
		await installOn(node, first);
		await node.kubelet.whenSettled(settleMs);
		t.true(await write(oldPod, 'before'));
		const [daemon] = node.daemons();

		t.like(await installOn(node, second), {isRuntimeChanged: true, versions: ['1.1.0', '1.0.0']});
		t.true(await write(oldPod, 'after'));
		node.kubelet.add(joining);
		node.kubelet.add(newPod);
		await node.kubelet.whenSettled(settleMs);
		t.deepEqual(await versionsInStatus(node), {[old!.bucket]: '1.0.0', [fresh!.bucket]: '1.1.0'});
		t.true(node.daemons().some(({pid}) => pid === daemon!.pid));
		t.true(await write(joining, 'joined'));
		t.true(await write(newPod, 'new'));
		t.deepEqual(await files.wrongInPod(node.kubelet.directoryOf(joining), old!.bucket), []);

		// Two versions on: the first is neither the current one nor the one to roll back to, but a daemon runs from it.
		t.deepEqual((await installOn(node, third)).removedVersions, []);
		t.true(existsSync(join(runtimeDirectoryOf(node), '1.0.0')));
		node.kubelet.remove(oldPod);
		node.kubelet.remove(joining);
		await node.kubelet.whenSettled(settleMs);
		t.deepEqual((await installOn(node, third)).removedVersions, ['1.0.0']);
		t.true(await write(newPod, 'still'));

		node.kubelet.remove(newPod);
		await node.kubelet.whenSettled(settleMs);
		await node.whenClean(settleMs);
		for (const {bucket} of [old!, fresh!]) {
			t.deepEqual(await files.wrongInBucket(createTestClient(t, server), bucket), []);
		}
	},
);

test.serial(
	'a roll-back: volumes of the newer version go on, are joined and unmounted by the older driver',
	async t => {
		t.timeout(600_000);
		const server = await spawnTestDevServer(t);
		const node = createStormNode(t, {isInstalledLater: true});
		const files = createWrittenFiles(node.programs);
		const [volume, other] = createStormVolumes(server, 2);
		const [pod, joining, later] = [createPod(volume!), createPod(volume!), createPod(other!)];
		await installOn(node, first);
		await installOn(node, second);
		node.kubelet.add(pod);
		await node.kubelet.whenSettled(settleMs);
		t.true(await files.write(node.kubelet.directoryOf(pod), volume!.bucket, 'before', 5000));

		t.like(await installOn(node, first), {isRuntimeChanged: true, removedVersions: []});
		t.is(readlinkSync(join(runtimeDirectoryOf(node), 'current')), '1.0.0');
		node.kubelet.restart({endsCalls: true});
		node.kubelet.add(joining);
		node.kubelet.add(later);
		await node.kubelet.whenSettled(settleMs);
		t.deepEqual(await versionsInStatus(node), {[volume!.bucket]: '1.1.0', [other!.bucket]: '1.0.0'});
		t.deepEqual(await files.wrongInPod(node.kubelet.directoryOf(joining), volume!.bucket), []);
		t.true(await files.write(node.kubelet.directoryOf(joining), volume!.bucket, 'after', 5000));
		[pod, joining, later].forEach(each => node.kubelet.remove(each));
		await node.kubelet.whenSettled(settleMs);
		await node.whenClean(settleMs);
		t.deepEqual(await files.wrongInBucket(createTestClient(t, server), volume!.bucket), []);
		t.deepEqual(
			node.kubelet.events.filter(event => !event.includes('no volume plugin matched')),
			[],
		);
	},
);

test.serial('versions that are installed to and fro in the middle of a storm disturb no pod', async t => {
	t.timeout(3_600_000);
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const size = stormSize({pods: 6, volumes: 2, rounds: 2});
	const server = await spawnTestDevServer(t);
	const node = createStormNode(t, {isInstalledLater: true});
	const files = createWrittenFiles(node.programs);
	const volumes = createStormVolumes(server, size.volumes);
	await installOn(node, first);
	let isOver = false;
	const storm = runStorm({node, volumes, files, size, random: createRandomSource(seed), isRough: false}).finally(() => {
		isOver = true;
	});
	let count = 0;
	while (!isOver) {
		await installOn(node, [second, third, first][count++ % 3]!); // The index is below the length.
	}

	t.deepEqual(await storm, []);
	await node.kubelet.whenSettled(settleMs);
	await node.whenClean(settleMs);
	for (const {bucket} of volumes) {
		t.deepEqual(await files.wrongInBucket(createTestClient(t, server), bucket), []);
	}

	t.deepEqual(node.kubelet.events, []);
	t.log(`${count} installations, ${files.counts.acknowledged} files`);
});
