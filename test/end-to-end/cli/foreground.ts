import {execFile, spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {GetObjectCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createTestClient, spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {createDriverHarness, type DriverHarness} from '../../support/driver.ts';

const run = promisify(execFile);
const commandPath = fileURLToPath(new URL('../../../dist/bin/pnx-volume.js', import.meta.url));

const variablesOf = (node: DriverHarness, {credentials}: SpawnedDevServer): NodeJS.ProcessEnv => ({
	PATH: process.env['PATH'],
	...node.variables,
	AWS_ACCESS_KEY_ID: credentials.accessKeyId,
	AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
});

type Foreground = {
	readonly child: ChildProcess;
	readonly directory: string;
	readonly stdout: () => string;
	readonly stderr: () => string;
	readonly ended: Promise<number | null>;
};

/** Starts `pnx-volume mount` and resolves when it says that the directory is usable. */
const mountInForeground = async (
	t: ExecutionContext,
	node: DriverHarness,
	server: SpawnedDevServer,
	...flags: readonly string[]
): Promise<Foreground> => {
	const directory = join(dirname(node.stateDirectory), 'files');
	mkdirSync(directory, {recursive: true});
	const argv = ['mount', server.bucket, directory, '--endpoint', server.endpoint, '--path-style', ...flags];
	const child = spawn(process.execPath, [commandPath, ...argv], {
		env: variablesOf(node, server),
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	let stdout = '';
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr += text;
	});
	const ended = once(child, 'close').then(([code]) => code as number | null);
	const {promise: ready, resolve, reject} = Promise.withResolvers<void>();
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		stdout += text;
		resolve();
	});
	void ended.then(() => reject(new Error(`The mount ended: ${stderr}`)));
	await ready;
	return {child, directory, stdout: () => stdout, stderr: () => stderr, ended};
};

const inDirectory = async (directory: string, script: string): Promise<string> =>
	(await run('/bin/sh', ['-ec', script], {cwd: '/', env: {PATH: '/usr/bin:/bin', D: directory}, timeout: 300_000}))
		.stdout;

const textOf = async (t: ExecutionContext, server: SpawnedDevServer, key: string): Promise<string> => {
	const {Body} = await createTestClient(t, server).send(new GetObjectCommand({Bucket: server.bucket, Key: key}));
	return Body!.transformToString();
};

const assertNothingLeft = (t: ExecutionContext, node: DriverHarness, directory: string): void => {
	t.deepEqual(mountsAt(readMountTable(), directory), []);
	t.deepEqual(readdirSync(directory), []);
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
	t.deepEqual(readdirSync(join(node.stateDirectory, 'locks')), []);
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	test.serial(
		`mount says one line when the directory is usable; ${signal} uploads, unmounts, and ends it with exit code 0`,
		async t => {
			const server = await spawnTestDevServer(t);
			const node = createDriverHarness(t);
			const mount = await mountInForeground(t, node, server, '--durability', 'journal');
			t.is(mount.stdout(), `Mounted test at ${mount.directory}; Ctrl-C unmounts it\n`);
			await server.setFaults({latencyMsByOperation: {PutObject: 300}});
			await inDirectory(mount.directory, 'echo hello >"$D/file"');
			mount.child.kill(signal);
			t.is(await mount.ended, 0, mount.stderr());
			t.is(mount.stdout(), `Mounted test at ${mount.directory}; Ctrl-C unmounts it\nUnmounted ${mount.directory}\n`);
			t.regex(mount.stderr(), /^Uploading what is left, then unmounting/);
			t.is(await textOf(t, server, 'file'), 'hello\n');
			assertNothingLeft(t, node, mount.directory);
		},
	);
}

test.serial('a second Ctrl-C leaves the rest in the journal, and says where; the next mount uploads it', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const mount = await mountInForeground(t, node, server, '--durability', 'journal');
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
	await inDirectory(mount.directory, 'echo hello >"$D/file"');
	mount.child.kill('SIGINT');
	while (!mount.stderr().includes('Uploading what is left')) {
		await once(mount.child.stderr!, 'data');
	}

	mount.child.kill('SIGINT');
	t.is(await mount.ended, 0, mount.stderr());
	t.regex(mount.stdout(), /Not everything is in S3: .*\/staging keeps the rest/);
	t.deepEqual(mountsAt(readMountTable(), mount.directory), []);

	await server.setFaults({});
	const again = await mountInForeground(t, node, server, '--durability', 'journal');
	t.is(await inDirectory(again.directory, 'cat "$D/file"'), 'hello\n');
	again.child.kill('SIGINT');
	t.is(await again.ended, 0);
	t.is(await textOf(t, server, 'file'), 'hello\n');
	assertNothingLeft(t, node, again.directory);
});

test.serial('--debug shows each operation with its time', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const mount = await mountInForeground(t, node, server, '--debug');
	await inDirectory(mount.directory, 'mkdir "$D/dir"');
	mount.child.kill('SIGINT');
	t.is(await mount.ended, 0);
	t.regex(mount.stderr(), /^\d\d:\d\d:\d\d\.\d{3} debug operation op=mkdir .*dir durationMs=[\d.]+ result=ok$/m);
	t.false(mount.stderr().includes(server.credentials.secretAccessKey));
});

test.serial(
	'unmount from another terminal ends a mount in the foreground with exit code 0; umount(8) does, too',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t);
		const mount = await mountInForeground(t, node, server);
		await inDirectory(mount.directory, 'echo hello >"$D/file"');
		const {stdout} = await run(process.execPath, [commandPath, 'unmount', mount.directory], {
			env: variablesOf(node, server),
		});
		t.is(stdout, `Unmounted ${mount.directory}\n`);
		t.is(await mount.ended, 0, mount.stderr());
		assertNothingLeft(t, node, mount.directory);

		const again = await mountInForeground(t, node, server);
		t.is(await inDirectory(again.directory, 'cat "$D/file"'), 'hello\n');
		await run('umount', [again.directory]);
		t.is(await again.ended, 0, again.stderr());
		assertNothingLeft(t, node, again.directory);
	},
);

test.serial('mount fails in one line, with exit code 1, when the server refuses the keys', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = join(dirname(node.stateDirectory), 'files');
	mkdirSync(directory);
	const env = {...variablesOf(node, server), AWS_SECRET_ACCESS_KEY: 'wrong-secret'};
	const error = await t.throwsAsync<Error & {code: number; stdout: string; stderr: string}>(
		run(
			process.execPath,
			[commandPath, 'mount', server.bucket, directory, '--endpoint', server.endpoint, '--path-style'],
			{env},
		),
	);
	t.is(error.code, 1);
	t.is(error.stdout, '');
	t.regex(error.stderr, /^pnx-volume: .+\n$/);
	t.false(error.stderr.includes('wrong-secret'));
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});

test.serial('provision creates a bucket, and the second time says that it exists', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const provision = async () =>
		(
			await run(
				process.execPath,
				[commandPath, 'provision', 'fresh-bucket', '--endpoint', server.endpoint, '--path-style'],
				{env: variablesOf(node, server)},
			)
		).stdout;
	t.is(await provision(), 'Created bucket fresh-bucket\n');
	t.is(await provision(), 'Bucket fresh-bucket exists and may be used; its settings were left as they are\n');
});
