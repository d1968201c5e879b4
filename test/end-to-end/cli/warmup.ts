import {execFile} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {createDriverHarness} from '../../support/driver.ts';

const commandPath = fileURLToPath(new URL('../../../dist/bin/pnx-volume.js', import.meta.url));

type Run = {readonly exitCode: number; readonly stdout: string; readonly stderr: string};

const run = async (
	command: string,
	argv: readonly string[],
	env: Readonly<Record<string, string | undefined>>,
): Promise<Run> => {
	const {promise, resolve} = Promise.withResolvers<Run>();
	execFile(command, argv, {env, timeout: 300_000}, (error, stdout, stderr) => {
		resolve({exitCode: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr});
	});
	return promise;
};

test('warmup reads a directory of a mounted volume into its disk cache, and says what it did', async t => {
	t.timeout(600_000);
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const bucket = createS3ObjectStore({...server, region: 'us-east-1'});
	t.teardown(async () => bucket.close());
	for (const [key, sizeBytes] of [
		['models/a', 3 * 2 ** 20],
		['models/b', 1000],
		['other', 1000],
	] as const) {
		await bucket.put(key, Buffer.alloc(sizeBytes, key));
	}

	const directory = join(dirname(node.stateDirectory), 'files');
	mkdirSync(directory);
	const env = {
		PATH: process.env['PATH'],
		...node.variables,
		AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
		AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
	};
	const command = async (...argv: readonly string[]) => run(process.execPath, [commandPath, ...argv], env);
	const countGets = async () => server.countRequests({operation: 'GetObject'});
	const mounted = await command(
		...['mount', server.bucket, directory, '--background'],
		...['--endpoint', server.endpoint, '--path-style', '--cache-size', '1GiB'],
	);
	t.is(mounted.exitCode, 0, mounted.stderr);
	try {
		const warmed = await command('warmup', join(directory, 'models'));
		t.is(warmed.stdout, `Warmed up 2 files (3.0 MiB) at ${join(directory, 'models')}\n`, warmed.stderr);
		t.is(warmed.exitCode, 0);
		const before = await countGets();
		t.true(before > 0);
		const read = await run('sh', ['-c', 'cat "$1"/models/* | wc -c', 'sh', directory], env);
		t.is(read.stdout.trim(), String(3 * 2 ** 20 + 1000), read.stderr);
		t.is(await countGets(), before);

		const prefix = await command('warmup', join(directory, 'ot'));
		t.is(prefix.stdout, `Warmed up 1 file (1000 bytes) at ${join(directory, 'ot')}\n`, prefix.stderr);
		const attributes = await command('warmup', directory, '--metadata-only');
		t.is(attributes.stdout, `Warmed up the attributes of 3 files at ${directory}\n`, attributes.stderr);
		t.is(await countGets(), before + 1);

		const absent = await command('warmup', join(directory, 'absent'));
		t.is(absent.exitCode, 1);
		t.regex(absent.stderr, /^pnx-volume: Cannot warm up .*: Nothing in the volume is called absent, or begins so\n$/);
		const elsewhere = await command('warmup', dirname(directory));
		t.is(elsewhere.exitCode, 1);
		t.regex(
			elsewhere.stderr,
			/^pnx-volume: No volume is mounted at .* or above it; "pnx-volume status" shows what is\n$/,
		);
	} finally {
		await command('unmount', directory);
	}
});
