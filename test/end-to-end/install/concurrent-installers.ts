/**
Installers that are killed, that run at once, and what the kubelet's watcher of the plugin directory gets to see
meanwhile.
*/
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, watch} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {formatReply} from '../../../src/flexvolume/format-reply.ts';
import {findDamage, readManifest} from '../../../src/install/runtime-manifest.ts';
import {createTreesDirectory, describeFiles, install, type TestNode} from '../../install/support/install-node.ts';
import {createLocalNode} from '../../install/support/private-node.ts';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {buildRuntimeTree, copyRuntimeTree} from '../../install/support/runtime-tree.ts';

const commandPath = join(import.meta.dirname, '..', '..', '..', 'dist', 'bin', 'pnx-volume.js');
const trees = createTreesDirectory(remove => test.after.always(remove));
const first = buildRuntimeTree(join(trees, 'first'), {version: '1.0.0'});
const second = copyRuntimeTree(first, join(trees, 'second'), {version: '2.0.0'});
const roundCount = 12;

/** `pnx-volume agent --once` on the node of a test. */
const startInstaller = ({directory}: TestNode, source: string) => {
	const child = spawn(
		process.execPath,
		[
			commandPath,
			'agent',
			'--once',
			'--source',
			source,
			'--runtime-directory',
			join(directory, 'opt/pnx-volume'),
			'--plugin-directory',
			join(directory, 'plugins'),
		],
		{
			env: {
				PATH: process.env['PATH'],
				PNX_VOLUME_STATE_DIR: join(directory, 'state'),
				PNX_VOLUME_LOG: join(directory, 'log'),
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		},
	);
	let output = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
	}

	return {child, closed: once(child, 'close') as Promise<[number | null]>, output: () => output};
};

/** Names that a kubelet would have had an event for: those that do not begin with a dot. */
const watchNames = (t: ExecutionContext, directory: string): (() => string[]) => {
	const names = new Set<string>();
	const watcher = watch(directory, (_, name) => {
		if (name !== null && !name.startsWith('.')) {
			names.add(name);
		}
	});
	t.teardown(() => watcher.close());
	return () => [...names].sort();
};

/** Whatever has a visible name is whole and works. */
const assertWhole = async (t: ExecutionContext, {directory}: TestNode): Promise<void> => {
	const runtimes = join(directory, 'opt/pnx-volume');
	const visible = existsSync(runtimes) ? readdirSync(runtimes).filter(name => !name.startsWith('.')) : [];
	for (const name of visible.filter(entry => entry !== 'current')) {
		const manifest = readManifest(join(runtimes, name));
		t.not(manifest, undefined, name);
		t.deepEqual(await findDamage(join(runtimes, name), manifest!, {withContents: true}), []); // Looked at above.
	}

	if (visible.includes('current')) {
		t.true(visible.includes(readlinkSync(join(runtimes, 'current'))));
	}

	const drivers = join(directory, 'plugins/pnx~volume');
	const names = readdirSync(drivers).filter(name => !name.startsWith('.'));
	if (names.length > 0) {
		t.deepEqual(names, ['volume']);
		t.true(visible.includes('current'), 'No driver before its runtime');
		t.is(
			spawnSync(join(drivers, 'volume'), ['init'], {env: {PNX_VOLUME_LOG: '/dev/null'}, encoding: 'utf8'}).stdout,
			formatReply({outcome: 'initialised'}),
		);
	}
};

test('an installer that is killed with -9 at any moment leaves nothing half, and the next one completes it', async t => {
	const node = createLocalNode(t);
	const plugins = join(node.directory, 'plugins/pnx~volume');
	mkdirSync(plugins);
	const events = watchNames(t, plugins);
	const seed = testSeed();
	t.log(`seed ${seed}`);
	const random = createRandomSource(seed);
	let killedCount = 0;
	for (let round = 0; round < roundCount; round++) {
		if (random.chance(0.5)) {
			rmSync(join(plugins, 'volume'), {force: true});
			rmSync(join(node.directory, 'opt/pnx-volume', random.pick(['1.0.0', '2.0.0'])), {recursive: true, force: true});
			rmSync(join(node.directory, 'opt/pnx-volume/current'), {force: true});
		}

		const {child, closed} = startInstaller(node, random.pick([first, second]));
		// From its start, which takes 250 ms or so, to after its end.
		await Promise.race([closed, delay(200 + random.below(500))]);
		child.kill('SIGKILL');
		await closed;
		killedCount += child.signalCode === 'SIGKILL' ? 1 : 0;
		await assertWhole(t, node);
	}

	t.true(killedCount > 0, 'No installer was killed before its end');

	const {closed, output} = startInstaller(node, second);
	t.deepEqual(await closed, [0, null], output());
	await assertWhole(t, node);
	t.is(readlinkSync(join(node.directory, 'opt/pnx-volume/current')), '2.0.0');
	t.deepEqual(
		readdirSync(join(node.directory, 'opt/pnx-volume')).filter(name => name.startsWith('.')),
		['.install.lock'],
	);
	t.deepEqual(readdirSync(plugins), ['volume']);
	t.deepEqual(events(), ['volume']);
});

test('two installers at once end well, whether of one version or of two, and the kubelet sees nothing but the driver', async t => {
	const node = createLocalNode(t);
	mkdirSync(join(node.directory, 'plugins/pnx~volume'));
	const [events, outerEvents] = [
		watchNames(t, join(node.directory, 'plugins/pnx~volume')),
		watchNames(t, join(node.directory, 'plugins')),
	];
	const installers = [first, second, first].map(source => startInstaller(node, source));
	for (const {closed, output} of installers) {
		t.deepEqual(await closed, [0, null], output());
	}

	await assertWhole(t, node);
	t.is(installers.filter(({output}) => output().includes('"isDriverChanged":true')).length, 1);
	t.deepEqual(
		readdirSync(join(node.directory, 'opt/pnx-volume'))
			.filter(name => name !== 'current')
			.sort(),
		['.install.lock', '1.0.0', '2.0.0'],
	);
	t.deepEqual(events(), ['volume']);
	t.deepEqual(outerEvents(), []);
});

test('a fresh installation touches the driver once more some seconds later, and changes nothing by it', async t => {
	const node = createLocalNode(t);
	const {child, closed} = startInstaller(node, first);
	const path = join(node.directory, 'plugins/pnx~volume/volume');
	while (!existsSync(path)) {
		await Promise.race([closed, delay(10)]);
		t.is(child.exitCode, null);
	}

	const before = lstatSync(path, {bigint: true});
	await closed;
	const after = lstatSync(path, {bigint: true});
	t.true(after.ctimeMs - before.ctimeMs > 3000n);
	t.deepEqual([after.ino, after.mode, after.mtimeNs], [before.ino, before.mode, before.mtimeNs]);
	const files = describeFiles(node.directory);
	await install(node, first, {
		variables: {PNX_VOLUME_LOG: join(node.directory, 'log'), PNX_VOLUME_STATE_DIR: join(node.directory, 'state')},
	});
	t.deepEqual(describeFiles(node.directory), files);
	t.regex(readFileSync(path, 'utf8'), /^settings='PNX_VOLUME_LOG=\S+ PNX_VOLUME_STATE_DIR=\S+'$/m);
});
