/**
`pnx-volume agent --uninstall`: who still uses volumes is told, and nothing of ours stays on a node that nobody
uses.
*/
import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {findHostTool} from '../../src/node/host/host-tool.ts';
import {findLaunchers} from '../../src/install/find-launchers.ts';
import {createNodeRoot} from '../../src/install/node-root.ts';
import {uninstallFromNode} from '../../src/install/uninstall-from-node.ts';
import {spawnTestDevServer, type SpawnedDevServer} from '../support/dev-server.ts';
import {cleanUpNode, permissivePolicy} from '../support/driver.ts';
import {createTreesDirectory, describeFiles, install} from './support/install-node.ts';
import {createLocalNode, startPrivateNode} from './support/private-node.ts';
import {buildRuntimeTree} from './support/runtime-tree.ts';

const run = promisify(execFile);
const commandPath = join(import.meta.dirname, '..', '..', 'dist', 'bin', 'pnx-volume.js');
const trees = createTreesDirectory(remove => test.after.always(remove));
const source = buildRuntimeTree(join(trees, 'first'), {version: '1.0.0'});

type Installed = {
	readonly directory: string;
	readonly driver: string;
	readonly variables: Record<string, string>;
	readonly podPath: string;
};

/** A node with the driver on it, whose daemons end with their last pod. */
const createInstalledNode = async (t: ExecutionContext): Promise<Installed> => {
	const node = createLocalNode(t);
	const {directory} = node;
	const variables = {
		PNX_VOLUME_IDLE_MS: '0',
		PNX_VOLUME_LAUNCH: 'session',
		PNX_VOLUME_LOG: join(directory, 'log'),
		PNX_VOLUME_RUN_DIR: join(directory, 'run'),
		PNX_VOLUME_STATE_DIR: join(directory, 'state'),
	};
	const {driverPath: driver} = await install(node, source, {variables});
	const podPath = join(directory, 'kubelet/pods/11111111-2222-3333-4444-555555555555/volumes/pnx~volume/v');
	mkdirSync(podPath, {recursive: true, mode: 0o750});
	writeFileSync(join(directory, 'state/policy.json'), JSON.stringify(permissivePolicy), {mode: 0o600});
	t.teardown(async () => cleanUpNode(join(directory, 'state'), directory));
	return {directory, driver, variables, podPath};
};

/** The variables count where no driver says otherwise, so that no test ever means this machine's own directories. */
const uninstall = async (
	directory: string,
	...more: readonly string[]
): Promise<{exitCode: number | null; output: string}> => {
	const child = spawn(
		process.execPath,
		[commandPath, 'agent', '--uninstall', '--plugin-directory', join(directory, 'plugins'), ...more],
		{
			env: {
				PATH: '/usr/bin:/bin',
				PNX_VOLUME_LOG: join(directory, 'no', 'log'),
				PNX_VOLUME_RUN_DIR: join(directory, 'no', 'run'),
				PNX_VOLUME_STATE_DIR: join(directory, 'no', 'state'),
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

	const [exitCode] = (await once(child, 'close')) as [number | null];
	return {exitCode, output};
};

const optionsFor = ({endpoint, bucket, credentials}: SpawnedDevServer): string =>
	JSON.stringify({
		'kubernetes.io/fsType': 'fuse',
		'kubernetes.io/readwrite': 'rw',
		'kubernetes.io/pod.name': 'drupal-1',
		'kubernetes.io/pod.namespace': 'web',
		'kubernetes.io/pod.uid': '11111111-2222-3333-4444-555555555555',
		'kubernetes.io/pvOrVolumeName': 'v',
		'kubernetes.io/secret/access-key-id': Buffer.from(credentials.accessKeyId).toString('base64'),
		'kubernetes.io/secret/secret-access-key': Buffer.from(credentials.secretAccessKey).toString('base64'),
		name: bucket,
		endpoint,
		'path-style': 'true',
	});

test('while a pod has a volume it names the pod and changes nothing; afterwards nothing is left of the driver, its runtime, state and log', async t => {
	const server = await spawnTestDevServer(t);
	const {directory, driver, podPath} = await createInstalledNode(t);
	const call = async (...argv: readonly string[]): Promise<string> => (await run(driver, argv, {env: {}})).stdout;
	t.is(await call('mount', podPath, optionsFor(server)), '{"status":"Success"}\n');
	await run('/bin/sh', ['-c', 'echo hello >"$1/greeting"', 'sh', podPath]);

	const places = () =>
		describeFiles(directory).filter(path => !path.includes('/kubelet/') && !path.includes('/volumes/'));
	const before = places();
	const refused = await uninstall(directory);
	t.is(refused.exitCode, 1);
	t.regex(
		refused.output,
		/^pnx-volume: Volumes are still used on this node, so nothing was removed\..*: pod web\/drupal-1 \(.*\/volumes\/pnx~volume\/v\)\n$/,
	);
	t.deepEqual(places(), before);

	t.is(await call('unmount', podPath), '{"status":"Success"}\n');
	// The kubelet's own rmdir is still to come: until then the pod may call again.
	if (existsSync(podPath)) {
		rmdirSync(podPath);
	}

	const done = await uninstall(directory);
	t.is(done.exitCode, 0, done.output);
	t.regex(
		done.output,
		/^Removed from this node: \S+plugins\/pnx~volume\/volume, \S+opt\/pnx-volume, \S+state, \S+run, \S+log\n$/,
	);
	t.deepEqual(readdirSync(directory).sort(), ['kubelet', 'opt', 'plugins']);
	t.deepEqual([...readdirSync(join(directory, 'opt')), ...readdirSync(join(directory, 'plugins'))], []);
	t.like(
		await uninstall(directory, '--runtime-directory', join(directory, 'opt/pnx-volume')),
		{exitCode: 0},
		'Once more is no mistake',
	);
});

test('bytes that S3 does not have keep it from removing anything, unless they are given up', async t => {
	const {directory, driver} = await createInstalledNode(t);
	const staging = join(directory, 'state/volumes/0123456789abcdef/staging');
	mkdirSync(staging, {recursive: true});
	mkdirSync(join(staging, '../mount'));
	writeFileSync(join(staging, 'layer'), 'x'.repeat(1234));
	const refused = await uninstall(directory);
	t.is(refused.exitCode, 1);
	t.regex(
		refused.output,
		/have not reached S3.*--discard-journals to lose them: 1234 bytes for the bucket unknown in .*0123456789abcdef\/staging\n$/,
	);
	t.true(existsSync(join(staging, 'layer')) && existsSync(driver));

	// As the driver leaves the directory below a mount; where the file system does not have that, it is an ordinary one.
	// ENOTTY on a file system without flags.
	await run(findHostTool('chattr') ?? 'true', ['+i', join(staging, '../mount')]).catch(() => undefined);
	t.like(await uninstall(directory, '--discard-journals'), {exitCode: 0});
	t.deepEqual(readdirSync(directory).sort(), ['kubelet', 'opt', 'plugins']);
});

test('a process that still runs from the runtime is named, and its files stay', async t => {
	const {directory, driver} = await createInstalledNode(t);
	const server = spawn(
		join(directory, 'opt/pnx-volume/1.0.0/bin/pnx-volume'),
		['dev-server', '--directory', join(directory, 'files')],
		{stdio: ['ignore', 'pipe', 'ignore']},
	);
	const exited = once(server, 'exit');
	t.teardown(async () => {
		server.kill('SIGKILL');
		await exited;
	});
	await once(server.stdout, 'data');
	const root = createNodeRoot(undefined);
	const error = await t.throwsAsync(
		uninstallFromNode({
			root,
			launchers: findLaunchers(root, [join(directory, 'plugins')]),
			runtimeDirectory: join(directory, 'opt/pnx-volume'),
			stateDirectory: join(directory, 'state'),
			runDirectory: join(directory, 'run'),
			logPath: join(directory, 'log'),
			isJournalDiscarded: false,
			endMs: 100,
		}),
	);
	t.regex(error.message, new RegExp(`still run on this node.*pid ${server.pid}$`));
	t.true(existsSync(driver) && existsSync(join(directory, 'opt/pnx-volume/1.0.0/bin/node')));
});

test('files of others beside ours stay, and are reported', async t => {
	const {directory} = await createInstalledNode(t);
	for (const path of ['plugins/pnx~volume/notes', 'opt/pnx-volume/notes', 'state/notes', 'state/policy.json']) {
		writeFileSync(join(directory, path), '{}');
	}

	const {exitCode, output} = await uninstall(directory);
	t.is(exitCode, 0, output);
	t.deepEqual(
		output
			.split('\n')
			.filter(line => line.startsWith('Left: '))
			.map(line => line.replace(directory, '')),
		[
			'Left: /plugins/pnx~volume, which has other files in it',
			'Left: /state, which has other files in it (notes)',
			'Left: /opt/pnx-volume, which has other files in it',
		],
	);
	t.deepEqual(readdirSync(join(directory, 'state')), ['notes']);
	t.deepEqual(readdirSync(join(directory, 'plugins/pnx~volume')), ['notes']);
});

test("from a container it removes what lies on the node, and refuses while something is mounted in the node's namespace only", async t => {
	const node = await startPrivateNode(
		t,
		'mkdir state/volumes; mkdir -p state/volumes/0123456789abcdef/mount; mount -t tmpfs tmpfs state/volumes/0123456789abcdef/mount',
	);
	const {directory, reached} = node;
	await install(node, source, {
		variables: {
			PNX_VOLUME_STATE_DIR: join(directory, 'state'),
			PNX_VOLUME_RUN_DIR: join(directory, 'run'),
			PNX_VOLUME_LOG: join(directory, 'log'),
		},
	});
	const refused = await uninstall(directory, '--host-pid', String(node.pid));
	t.is(refused.exitCode, 1);
	t.regex(refused.output, /Something is mounted at .*0123456789abcdef\/mount/);
	t.true(existsSync(join(reached, 'plugins/pnx~volume/volume')));

	await run('nsenter', [
		'-t',
		String(node.pid),
		'-m',
		'umount',
		join(directory, 'state/volumes/0123456789abcdef/mount'),
	]);
	t.like(await uninstall(directory, '--host-pid', String(node.pid)), {exitCode: 0});
	t.deepEqual(readdirSync(reached).sort(), ['opt', 'plugins']);
	t.deepEqual([...readdirSync(join(reached, 'opt')), ...readdirSync(join(reached, 'plugins'))], []);
});
