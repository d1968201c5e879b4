/** The agent as its container runs it: against a node with a mount namespace of its own, and an API server. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createKubernetesClient} from '../../src/agent/kubernetes/kubernetes-client.ts';
import {runAgent} from '../../src/agent/run-agent.ts';
import {createDeadline, waitUntil} from '../../src/node/deadline.ts';
import {createLogger} from '../../src/observability/logger.ts';
import {startApiServer} from './support/api-server.ts';
import {createTreesDirectory, describeFiles} from '../install/support/install-node.ts';
import {createLocalNode, startPrivateNode} from '../install/support/private-node.ts';
import {buildRuntimeTree, copyRuntimeTree} from '../install/support/runtime-tree.ts';

const trees = createTreesDirectory(remove => test.after.always(remove));
const source = buildRuntimeTree(join(trees, 'first'), {version: '1.0.0'});

/** In place of the watch that the tree has: one that reports, and tells of a pod once. */
const writeWatch = (tree: string): void => {
	const path = join(tree, 'bin/pnx-volume');
	writeFileSync(
		path,
		String.raw`#!/bin/sh
[ "$1" = watch ] || exit 2
printf '{"type":"report","report":{"atMs":%s000,"version":"1.0.0","volumes":[]}}\n' "$(date +%s)"
printf '{"type":"notice","notice":{"atMs":1,"type":"Warning","reason":"VolumeDaemonDied","message":"It died","volumeId":"0123456789abcdef","bucket":"bucket-1","pods":[{"path":"/x","uid":"uid-1","name":"drupal-1","namespace":"web"}]}}\n'
cat
`,
	);
	chmodSync(path, 0o755);
};

const until = async (t: ExecutionContext, condition: () => boolean | Promise<boolean>, what: string): Promise<void> => {
	t.true(await waitUntil(condition, createDeadline(300_000), 50), what);
};

test('`pnx-volume agent` in a container installs where the kubelet looks, copies the policy, watches on the node, is ready, and leaves everything when it ends', async t => {
	const api = await startApiServer(t);
	const node = await startPrivateNode(t);
	const {directory, reached} = node;
	api.configz.set('node-1', {volumePluginDir: join(directory, 'plugins')});
	const container = mkdtempSync(join(tmpdir(), 'pnx-container-'));
	t.teardown(() => rmSync(container, {recursive: true, force: true}));
	const policy = join(container, 'policy.json');
	writeFileSync(policy, '{"rules": []}');
	const agent = spawn(
		process.execPath,
		[
			join(import.meta.dirname, '../../dist/bin/pnx-volume.js'),
			'agent',
			'--host-pid',
			String(node.pid),
			'--source',
			source,
			'--policy',
			policy,
			'--runtime-directory',
			join(directory, 'opt/pnx-volume'),
			'--metrics-listen',
			'127.0.0.1:0',
			'--status-listen',
			'127.0.0.1:0',
			'--service-account-directory',
			api.access.serviceAccountDirectory,
		],
		{
			env: {
				...api.variables,
				PATH: process.env['PATH'],
				NODE_NAME: 'node-1',
				AWS_SECRET_ACCESS_KEY: 'not-for-the-node',
				PNX_VOLUME_STATE_DIR: join(directory, 'state'),
				PNX_VOLUME_RUN_DIR: join(directory, 'run'),
				PNX_VOLUME_LOG: join(directory, 'log'),
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		},
	);
	let output = '';
	for (const stream of [agent.stdout, agent.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
	}

	const ended = once(agent, 'close');
	t.teardown(async () => {
		agent.kill('SIGKILL');
		await ended;
	});

	const addressOf = (name: string): string => new RegExp(`"${name}":"([^"]+)"`).exec(output)?.[1] ?? '';
	await until(t, () => addressOf('metrics') !== '', output);
	const get = async (path: string, name = 'metrics'): Promise<{status: number; text: string}> => {
		const response = await fetch(`http://${addressOf(name)}${path}`);
		return {status: response.status, text: await response.text()};
	};
	t.is((await get('/healthz')).status, 200);
	await until(t, async () => (await get('/readyz')).status === 200, output);
	t.true(existsSync(join(reached, 'plugins/pnx~volume/volume')));
	t.is(readFileSync(join(reached, 'state/policy.json'), 'utf8'), '{"rules": []}');
	const snapshot = JSON.parse((await get('/status.json', 'status')).text) as Record<string, unknown>;
	t.like(snapshot, {
		nodeName: 'node-1',
		problems: [],
		installation: {
			pluginDirectory: join(directory, 'plugins'),
			pluginDirectorySource: 'kubelet',
			runtimeDirectory: join(directory, 'opt/pnx-volume/1.0.0'),
			versions: ['1.0.0'],
		},
		volumes: [],
	});
	t.regex((await get('/metrics')).text, /pnx_volume_build_info\{[^}]*node="node-1"[^}]*\} 1/);

	// The watch is a process of the node, with nothing of ours in its environment.
	const [child = ''] = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim().split(' ');
	t.is(typeof (snapshot as {reportedAtMs?: unknown}).reportedAtMs, 'number');
	t.is(statSync(`/proc/${child}/ns/mnt`).ino, statSync(`/proc/${node.pid}/ns/mnt`).ino);
	t.notRegex(readFileSync(`/proc/${child}/environ`, 'utf8'), /AWS_|KUBERNETES_|NODE_NAME/);

	const files = describeFiles(reached).filter(path => !path.includes('/log '));
	agent.kill('SIGTERM');
	t.deepEqual(await ended, [0, null], output);
	t.deepEqual(
		describeFiles(reached).filter(path => !path.includes('/log ')),
		files,
	);
	t.false(existsSync(`/proc/${child}/ns`), 'The watch ends with the agent');
	t.notRegex(output, /not-for-the-node|token-1/);
});

test('the agent puts back what goes wrong on the node, takes a changed policy, and tells of notices in Events', async t => {
	const api = await startApiServer(t);
	const {root, directory} = createLocalNode(t);
	const tree = copyRuntimeTree(source, join(trees, 'watching'), {});
	writeWatch(tree);
	const policy = join(directory, 'policy.json');
	writeFileSync(policy, '{"rules": []}');
	const lines: string[] = [];
	const log = createLogger({level: 'info', destination: {write: line => lines.push(line)}, isSynchronous: true});
	const ending = new AbortController();
	const running = runAgent(
		{
			version: '1.0.0',
			nodeName: 'node-1',
			root,
			sourceDirectory: tree,
			runtimeDirectory: join(directory, 'opt/pnx-volume'),
			stateDirectory: join(directory, 'state'),
			variables: {PNX_VOLUME_LOG: join(directory, 'log')},
			findPluginDirectory: async () => ({path: join(directory, 'plugins'), source: 'option'}),
			policy: {source: policy, target: join(directory, 'state/policy.json')},
			client: createKubernetesClient(api.access),
			metricsListen: '127.0.0.1:0',
			statusListen: undefined,
			log,
			installCheckMs: 100,
			policyCheckMs: 100,
			touchMs: 60_000,
		},
		ending.signal,
	);
	t.teardown(async () => {
		ending.abort();
		await running;
	});

	const driver = join(directory, 'plugins/pnx~volume/volume');
	await until(t, () => existsSync(driver) && api.events.size === 1, 'installed, and one Event');
	t.like([...api.events.values()][0], {
		reason: 'VolumeDaemonDied',
		involvedObject: {kind: 'Pod', namespace: 'web', name: 'drupal-1', uid: 'uid-1'},
	});
	const address = /"metrics":"([^"]+)"/.exec(lines.join(''))?.[1];
	const readiness = async (): Promise<string> => (await fetch(`http://${address}/readyz`)).text();
	await until(t, async () => (await readiness()) === 'ok\n' || (await readiness()) === 'ok', 'ready');

	rmSync(driver);
	await until(t, () => existsSync(driver), 'the driver is back');
	rmSync(join(directory, 'opt/pnx-volume/1.0.0/dist'), {recursive: true});
	await until(
		t,
		() => existsSync(join(directory, 'opt/pnx-volume/1.0.0/dist/bin/pnx-volume.js')),
		'the runtime is back',
	);

	writeFileSync(policy, '{"rules": [');
	await until(t, async () => (await readiness()).includes('The policy in'), 'the policy is a problem');
	t.is(readFileSync(join(directory, 'state/policy.json'), 'utf8'), '{"rules": []}');
	writeFileSync(policy, '{"rules": [], "version": "1"}');
	await until(
		t,
		() => readFileSync(join(directory, 'state/policy.json'), 'utf8').includes('version'),
		'the new policy is there',
	);

	rmSync(join(directory, 'plugins'), {recursive: true});
	writeFileSync(join(directory, 'plugins'), '');
	await until(t, async () => (await readiness()).includes('plugins'), 'an installation that fails is a problem');
	rmSync(join(directory, 'plugins'));
	mkdirSync(join(directory, 'plugins'));
	await until(t, () => existsSync(driver), 'and is tried again');
	await until(t, async () => (await readiness()).startsWith('ok'), 'ready again');
	ending.abort();
	await running;
	t.deepEqual(readdirSync(join(directory, 'plugins/pnx~volume')), ['volume']);
});

test('an agent whose installation fails watches with the version that is on the node', async t => {
	const {root, directory} = createLocalNode(t);
	const tree = copyRuntimeTree(source, join(trees, 'installed-before'), {});
	writeWatch(tree);
	cpSync(tree, join(directory, 'opt/1.0.0'), {recursive: true});
	symlinkSync('1.0.0', join(directory, 'opt/current'));
	const lines: string[] = [];
	const ending = new AbortController();
	const running = runAgent(
		{
			version: '1.0.0',
			nodeName: 'node-1',
			root,
			sourceDirectory: join(directory, 'none'),
			runtimeDirectory: join(directory, 'opt'),
			stateDirectory: join(directory, 'state'),
			variables: {},
			findPluginDirectory: async () => ({path: join(directory, 'plugins'), source: 'option'}),
			policy: undefined,
			client: undefined,
			metricsListen: undefined,
			statusListen: undefined,
			log: createLogger({level: 'info', destination: {write: line => lines.push(line)}, isSynchronous: true}),
		},
		ending.signal,
	);
	t.teardown(async () => {
		ending.abort();
		await running;
	});
	await until(t, () => lines.some(line => line.includes('VolumeDaemonDied')), 'a notice of the watch');
	await until(t, () => lines.some(line => line.includes('installation failed')), 'what is wrong');
});

test('an agent that cannot reach its node says what its pod lacks, instead of installing into its container', async t => {
	const api = await startApiServer(t);
	const run = async (...args: readonly string[]): Promise<{exitCode: number | null; output: string}> => {
		const agent = spawn(
			process.execPath,
			[
				join(import.meta.dirname, '../../dist/bin/pnx-volume.js'),
				'agent',
				'--once',
				'--service-account-directory',
				api.access.serviceAccountDirectory,
				...args,
			],
			{
				env: {...api.variables, PATH: process.env['PATH']},
				stdio: ['ignore', 'ignore', 'pipe'],
			},
		);
		let output = '';
		agent.stderr.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
		const [exitCode] = (await once(agent, 'close')) as [number | null];
		return {exitCode, output};
	};
	t.like(await run(), {
		exitCode: 2,
		output:
			'pnx-volume: In a pod the agent needs --host-pid 1 (and hostPID: true), or it would install into its own container (pnx-volume --help shows how)\n',
	});
	const own = await run('--host-pid', String(process.pid));
	t.is(own.exitCode, 1);
	t.regex(own.output, /has the same files as this one.*hostPID: true/);
	t.regex((await run('--host-pid', '999999999')).output, /there is no such process: the pod needs hostPID: true/);
	t.like(await run('--host-pid', 'one'), {exitCode: 2});
});
