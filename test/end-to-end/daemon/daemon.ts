/** The whole daemon as its starter sees it, on an S3 server in another process. */
import {execFile} from 'node:child_process';
import {stat} from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {askStatus, askToEnd} from '../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../src/node/deadline.ts';
import {createVolumeDirectory, startTestDaemon, type TestDaemon} from '../support/daemon.ts';
import {spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {fuse, testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const {serial: testOnMount} = testThatNeeds(fuse);

const optionsOf = ({endpoint, bucket}: SpawnedDevServer): Record<string, string> => ({
	name: bucket,
	endpoint,
	'path-style': 'true',
});

const start = async (
	t: ExecutionContext,
	options: Record<string, string> = {},
): Promise<{server: SpawnedDevServer; volumeDirectory: string; daemon: TestDaemon}> => {
	const server = await spawnTestDevServer(t);
	const volumeDirectory = await createVolumeDirectory(t);
	const daemon = await startTestDaemon(t, {
		options: {...optionsOf(server), ...options},
		credentials: server.credentials,
		volumeDirectory,
	});
	return {server, volumeDirectory, daemon};
};

const isMounted = async (mountPoint: string): Promise<boolean> =>
	(await fs.readFile('/proc/self/mountinfo', 'utf8')).includes(` ${mountPoint} `);

testOnMount('the daemon mounts, serves, and ends with its mount when it gets SIGTERM', async t => {
	const {server, daemon} = await start(t);
	t.deepEqual(daemon.ready, {status: 'ready', pid: daemon.pid}, daemon.log());
	await fs.writeFile(join(daemon.mountPoint, 'hello.txt'), 'hello');
	const store = createS3ObjectStore({
		bucket: server.bucket,
		region: 'us-east-1',
		endpoint: server.endpoint,
		credentials: server.credentials,
	});
	t.teardown(async () => store.close());
	t.is((await store.head('hello.txt'))?.sizeBytes, 5, 'close() returns when S3 has the bytes');
	t.is(await daemon.stop(), 0, daemon.log());
	t.false(await isMounted(daemon.mountPoint));
	t.is(await stat(daemon.socketPath).catch(() => undefined), undefined);
	t.notRegex(daemon.log(), /dev-secret|"level":"(?:error|fatal)"/);
	t.log(`ready after ${Math.round(daemon.startMs)} ms`);
});

testOnMount('the daemon answers status, drain and stop on a socket for its owner only', async t => {
	const {daemon, server} = await start(t);
	t.is((await stat(daemon.socketPath)).mode & 0o777, 0o600);
	const status = await askStatus(daemon.socketPath, createDeadline(300_000));
	t.like(status, {
		volumeId: 'test-volume',
		pid: daemon.pid,
		bucket: server.bucket,
		prefix: '',
		mountPoint: daemon.mountPoint,
	});
	t.true(status!.residentBytes > 1e7); // Compared above: there is one.
	await fs.writeFile(join(daemon.mountPoint, 'file'), 'x');
	t.like(await askToEnd(daemon.socketPath, 'drain', createDeadline(300_000)), {outcome: 'done'});
	t.like(await askToEnd(daemon.socketPath, 'stop', createDeadline(300_000)), {outcome: 'done'});
	t.is(await daemon.exited, 0, daemon.log());
	t.false(await isMounted(daemon.mountPoint));
});

testOnMount('SIGUSR2 goes through the log levels, up to a line for every operation, and back', async t => {
	const {daemon} = await start(t);
	const signal = async (level: string): Promise<void> => {
		const logged = daemon.log().split('log level changed').length;
		process.kill(daemon.pid, 'SIGUSR2');
		while (daemon.log().split('log level changed').length === logged) {
			await delay(10);
		}

		t.regex(daemon.log(), new RegExp(`"newLevel":"${level}","msg":"log level changed"`));
	};

	await fs.readdir(daemon.mountPoint);
	t.notRegex(daemon.log(), /"op":/);
	await signal('debug');
	await signal('trace');
	await fs.writeFile(join(daemon.mountPoint, 'file'), 'x');
	await signal('info');
	t.regex(daemon.log(), /"op":"create","subject":"\/file","durationMs":[\d.]+,"result":"ok"/);
});

testOnMount('stop uploads what durability "journal" has acknowledged but not uploaded', async t => {
	const {daemon, server} = await start(t, {durability: 'journal'});
	await fs.writeFile(join(daemon.mountPoint, 'large'), Buffer.alloc(20_000_000, 7));
	t.like(await askToEnd(daemon.socketPath, 'stop', createDeadline(300_000)), {outcome: 'done'});
	await daemon.exited;
	const store = createS3ObjectStore({
		bucket: server.bucket,
		region: 'us-east-1',
		endpoint: server.endpoint,
		credentials: server.credentials,
	});
	t.teardown(async () => store.close());
	t.is((await store.head('large'))?.sizeBytes, 20_000_000);
});

testOnMount('the daemon ends with success when somebody else unmounts', async t => {
	const {daemon} = await start(t);
	await run('umount', [daemon.mountPoint]);
	t.is(await daemon.exited, 0, daemon.log());
	t.notRegex(daemon.log(), /cannot unmount|"level":"(?:warn|error|fatal)"/);
});

testOnMount('what was synced before the daemon was killed is in S3 after the next start', async t => {
	const {server, daemon, volumeDirectory} = await start(t, {durability: 'journal'});
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
	await fs.writeFile(join(daemon.mountPoint, 'file'), 'acknowledged');
	process.kill(daemon.pid, 'SIGKILL');
	await daemon.exited;
	await run('umount', ['-l', daemon.mountPoint]);
	await server.setFaults({});
	const next = await startTestDaemon(t, {
		options: {...optionsOf(server), durability: 'journal'},
		credentials: server.credentials,
		volumeDirectory,
	});
	t.is(next.ready.status, 'ready', next.log());
	t.is(await fs.readFile(join(next.mountPoint, 'file'), 'utf8'), 'acknowledged');
	t.like(await askToEnd(next.socketPath, 'drain', createDeadline(300_000)), {outcome: 'done'});
	const store = createS3ObjectStore({
		bucket: server.bucket,
		region: 'us-east-1',
		endpoint: server.endpoint,
		credentials: server.credentials,
	});
	t.teardown(async () => store.close());
	t.is((await store.head('file'))?.sizeBytes, 12);
});

testOnMount('the daemon says in one line why it cannot mount, and leaves nothing', async t => {
	const server = await spawnTestDevServer(t);
	const volumeDirectory = await createVolumeDirectory(t);
	for (const [options, credentials, reason] of [
		[
			{...optionsOf(server), name: 'absent-bucket', provision: 'false'},
			server.credentials,
			/absent-bucket.*does not exist/,
		],
		[{...optionsOf(server), 'metadata-tll': '1s'}, server.credentials, /metadata-ttl/],
		[optionsOf(server), {accessKeyId: 'nobody', secretAccessKey: 'wrong'}, /test/],
		[{...optionsOf(server), endpoint: 'http://127.0.0.1:9', timeout: '1s'}, server.credentials, /127\.0\.0\.1:9|test/],
	] as const) {
		const daemon = await startTestDaemon(t, {options, credentials, volumeDirectory});
		t.is(await daemon.exited, 1);
		t.regex(daemon.ready.status === 'failed' ? daemon.ready.message : 'it mounted', reason);
		t.notRegex(daemon.log(), /dev-secret|"wrong"/);
		t.false(await isMounted(daemon.mountPoint));
		t.is(await stat(daemon.socketPath).catch(() => undefined), undefined);
	}
});

testOnMount('the daemon says that its mount point is missing', async t => {
	const server = await spawnTestDevServer(t);
	const volumeDirectory = await createVolumeDirectory(t);
	await fs.rmdir(join(volumeDirectory, 'mount'));
	const daemon = await startTestDaemon(t, {
		options: optionsOf(server),
		credentials: server.credentials,
		volumeDirectory,
	});
	t.like(daemon.ready, {status: 'failed'});
	t.is(await daemon.exited, 1);
});
