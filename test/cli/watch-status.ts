import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import type {VolumeReport} from '../../src/node/volumes/list-volumes.ts';
import {spawnTestDevServer} from '../support/dev-server.ts';
import {createDriverHarness, type DriverHarness} from '../support/driver.ts';

const run = promisify(execFile);
const commandPath = fileURLToPath(new URL('../../src/bin/pnx-volume.ts', import.meta.url));
const base64 = (text: string) => Buffer.from(text).toString('base64');

const startStatus = (t: ExecutionContext, node: DriverHarness, ...argv: readonly string[]) => {
	const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandPath, 'status', ...argv], {
		env: {PATH: '/usr/bin:/bin', ...node.variables},
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr += text;
	});
	return {child, exited: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>, stderr: () => stderr};
};

test.serial('status --watch shows what programs read and write each second, until Ctrl-C', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	const {reply} = await node.mount(directory, {
		name: server.bucket,
		endpoint: server.endpoint,
		'path-style': 'true',
		'kubernetes.io/pod.name': 'web-1',
		'kubernetes.io/pod.namespace': 'shop',
		'kubernetes.io/secret/access-key-id': base64(server.credentials.accessKeyId),
		'kubernetes.io/secret/secret-access-key': base64(server.credentials.secretAccessKey),
	});
	t.is(reply.status, 'Success', node.log());
	const writer = spawn(
		'/bin/sh',
		['-c', 'while :; do head -c 100000 /dev/zero >"$0/file"; sleep 0.05; done', directory],
		{cwd: '/', stdio: 'ignore'},
	);
	t.teardown(() => writer.kill('SIGKILL'));

	const {child, exited, stderr} = startStatus(t, node, '--watch', '0.3');
	const rates: string[] = [];
	for await (const line of createInterface({input: child.stdout})) {
		t.notRegex(line, /\u001B/, 'a pipe gets no control characters');
		const written = new RegExp(`^${server.bucket} +shop/web-1 +healthy +\\S+ +(\\S+) `).exec(line)?.[1];
		if (written !== undefined) {
			rates.push(written);
		}

		if (written !== undefined && /^[\d.]+[KM]$/.test(written) && !child.killed) {
			child.kill('SIGINT');
		}
	}

	t.is(rates[0], '-', 'there is no rate at first');
	t.deepEqual(await exited, [0, null]);
	t.is(stderr(), '');

	const once = await run(process.execPath, ['--disable-warning=ExperimentalWarning', commandPath, 'status'], {
		env: {PATH: '/usr/bin:/bin', ...node.variables},
	});
	t.regex(
		once.stdout,
		new RegExp(`^${server.bucket} +shop/web-1 +healthy +\\S+ +[\\d.]+[KM] `, 'm'),
		'a single table has rates, too',
	);
	writer.kill('SIGKILL');
	await new Promise(resolve => {
		writer.once('exit', resolve);
	});
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial('status --watch --json gives a line for each round, and ends when nobody reads any more', async t => {
	const node = createDriverHarness(t);
	const {child, exited, stderr} = startStatus(t, node, '--watch', '0.1', '--json');
	const lines: string[] = [];
	const reader = createInterface({input: child.stdout});
	for await (const line of reader) {
		t.deepEqual(JSON.parse(line) as VolumeReport[], []);
		lines.push(line);
		if (lines.length === 3) {
			break;
		}
	}

	child.stdout.destroy();
	t.deepEqual(await exited, [0, null]);
	t.is(stderr(), '');
});

test.serial('status --watch redraws a terminal in place', async t => {
	const node = createDriverHarness(t);
	// script(1) gives it a terminal; its own copy of what was shown goes nowhere.
	const command = `stty cols 60 rows 10; ${process.execPath} --disable-warning=ExperimentalWarning ${commandPath} status --watch 0.2`;
	const child = spawn('script', ['-qefc', command, '/dev/null'], {
		env: {PATH: '/usr/bin:/bin', SHELL: '/bin/sh', ...node.variables},
		stdio: ['pipe', 'pipe', 'ignore'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	let shown = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		shown += text;
		if (shown.split('\u001B[H').length === 4) {
			child.stdin.end('\u0003');
		}
	});
	await once(child, 'exit');
	t.regex(shown, /\u001B\[H\d{4}-\d\d-\d\dT\S+ {2}0 volumes\u001B\[K\r\n\u001B\[K\r\nNothing is mounted on this node/);
	t.true(shown.includes('\u001B[J'));
});
