import {execFile} from 'node:child_process';
import {readdirSync, readFileSync, rmdirSync} from 'node:fs';
import {createServer, type AddressInfo} from 'node:net';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {ListObjectsV2Command, HeadObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {MountProbe} from '../../../src/healing/mount-probe.ts';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {isRunning} from '../../../src/node/host/process-identity.ts';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {createTestClient, spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {createDriverHarness, toKubeletJson, type DriverHarness} from '../../support/driver.ts';

const run = promisify(execFile);

/** What a pod does: always in a process of its own, so that this one never waits for its own mounts. */
const inPod = async (directory: string, script: string): Promise<string> =>
	(await run('/bin/sh', ['-ec', script], {cwd: '/', env: {PATH: '/usr/bin:/bin', D: directory}, timeout: 300_000}))
		.stdout;

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The options of a volume on the test's server. */
const optionsFor = (
	{endpoint, bucket, credentials}: SpawnedDevServer,
	more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
	name: bucket,
	endpoint,
	'path-style': 'true',
	'kubernetes.io/secret/access-key-id': base64(credentials.accessKeyId),
	'kubernetes.io/secret/secret-access-key': base64(credentials.secretAccessKey),
	...more,
});

const keysOf = async (t: ExecutionContext, server: SpawnedDevServer): Promise<string[]> => {
	const {Contents = []} = await createTestClient(t, server).send(new ListObjectsV2Command({Bucket: server.bucket}));
	return Contents.map(({Key}) => Key!);
};

const daemonOf = (node: DriverHarness) => readAllVolumeStates(node.stateDirectory)[0]!.daemon!;
const leftMounts = (node: DriverHarness) =>
	readMountTable().filter(({path}) => path.startsWith(`${dirname(node.stateDirectory)}/`));
const volumes = (node: DriverHarness) => readdirSync(join(node.stateDirectory, 'volumes'));

test.serial('two pods share the files of a bucket that is there', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	t.is((await node.mount(first, optionsFor(server))).output, '{"status":"Success"}\n');
	t.is((await node.mount(second, optionsFor(server))).output, '{"status":"Success"}\n');
	await inPod(first, 'echo hello >"$D/greeting"; mkdir "$D/dir"; echo x >"$D/dir/file"');
	t.is(await inPod(second, 'cat "$D/greeting" "$D/dir/file"'), 'hello\nx\n');
	t.deepEqual(await keysOf(t, server), ['dir/', 'dir/file', 'greeting']);

	t.is((await node.unmount(first)).output, '{"status":"Success"}\n');
	t.is(await inPod(second, 'cat "$D/greeting"'), 'hello\n');
	const daemon = daemonOf(node);
	t.is((await node.unmount(second)).output, '{"status":"Success"}\n');
	t.notThrows(() => rmdirSync(first));
	t.notThrows(() => rmdirSync(second));
	t.false(isRunning(daemon));
	t.deepEqual(leftMounts(node), []);
	t.deepEqual(volumes(node), []);
});

test.serial('a daemon that was killed with -9: ENOTCONN, then unmount, rmdir, and mount again work', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, optionsFor(server));
	await inPod(directory, 'echo hello >"$D/file"');
	process.kill(daemonOf(node).pid, 'SIGKILL');
	await t.throwsAsync(inPod(directory, 'while ls "$D"; do sleep 0.05; done; ls "$D"'), {
		message: /Transport endpoint is not connected/,
	});

	const unmounted = await node.unmount(directory);
	t.is(unmounted.output, '{"status":"Success"}\n');
	t.notThrows(() => rmdirSync(directory));
	t.deepEqual(leftMounts(node), []);

	const again = node.podDirectory('uid-1');
	t.is((await node.mount(again, optionsFor(server))).output, '{"status":"Success"}\n');
	t.is(await inPod(again, 'cat "$D/file"'), 'hello\n');
	t.is((await node.unmount(again)).reply.status, 'Success');
	t.deepEqual(volumes(node), []);
});

test.serial('bytes that a killed daemon had not uploaded are in S3 after the next mount', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	const options = optionsFor(server, {durability: 'journal'});
	await node.mount(directory, options);
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
	await inPod(directory, 'echo precious >"$D/file"');
	process.kill(daemonOf(node).pid, 'SIGKILL');
	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	t.is(volumes(node).length, 1);

	await server.setFaults({});
	t.deepEqual(await keysOf(t, server), []);
	t.is((await node.mount(directory, options)).output, '{"status":"Success"}\n');
	t.is(await inPod(directory, 'cat "$D/file"'), 'precious\n');
	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	t.deepEqual(await keysOf(t, server), ['file']);
	t.deepEqual(volumes(node), []);
});

test.serial(
	'a pod can go while the uploads of its volume fail, as long as another one uses the volume; the last one waits for them',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t, {PNX_VOLUME_DRAIN_TIMEOUT_MS: '7500'});
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		const options = optionsFor(server, {durability: 'journal', timeout: '5s'});
		await node.mount(first, options);
		await node.mount(second, options);
		await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
		await inPod(first, 'echo precious >"$D/file"');
		t.is((await node.unmount(first)).output, '{"status":"Success"}\n');
		t.deepEqual(mountsAt(readMountTable(), first), []);
		t.is(await inPod(second, 'cat "$D/file"'), 'precious\n');
		t.is((await node.unmount(second)).reply.status, 'Failure');
		t.is(await inPod(second, 'cat "$D/file"'), 'precious\n');
		await server.setFaults({});
		t.is((await node.unmount(second)).output, '{"status":"Success"}\n');
		t.deepEqual(await keysOf(t, server), ['file']);
		t.deepEqual(volumes(node), []);
	},
);

test.serial(
	'mount fails when the file system is there and does not answer, and the pods that have it keep it',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t);
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		const options = optionsFor(server, {timeout: '10m'});
		await node.mount(first, options);
		await server.setFaults({stalls: [{operation: 'PutObject', when: 'before'}]});
		const writing = inPod(first, 'for i in $(seq 80); do (echo x >"$D/file-$i") & done; wait');
		// Each of the daemon's threads waits for S3.
		const isSilent = async () => (await new MountProbe().ask(first, 15_000)) === 'silent';
		t.true(await waitUntil(isSilent, createDeadline(300_000)));
		// A kubelet that is restarted during the call takes a mount that it sees for good.
		let wasShown = false;
		const watching = setInterval(() => {
			wasShown ||= mountsAt(readMountTable(), second).length > 0;
		}, 20);
		t.teardown(() => clearInterval(watching));
		const {reply} = await node.callWith(
			{PNX_VOLUME_MOUNT_TIMEOUT_MS: '20000'},
			'mount',
			second,
			toKubeletJson(second, options),
		);
		t.false(wasShown);
		t.is(reply.status, 'Failure');
		t.regex(reply.message ?? '', /^The file system of bucket \S+ is mounted at \S+ but does not answer; see /);
		t.deepEqual(mountsAt(readMountTable(), second), []);
		await server.setFaults({});
		t.is(await writing, '');
		t.is(await inPod(first, 'cat "$D/file-80"'), 'x\n');
		t.is((await node.unmount(first)).output, '{"status":"Success"}\n');
		t.is((await keysOf(t, server)).length, 80);
	},
);

test.serial('unmount fails while S3 takes no objects and bytes wait, and succeeds once it is back', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t, {PNX_VOLUME_DRAIN_TIMEOUT_MS: '7500'});
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, optionsFor(server, {durability: 'journal', timeout: '5s'}));
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
	await inPod(directory, 'echo precious >"$D/file"');
	const {reply} = await node.unmount(directory);
	t.is(reply.status, 'Failure');
	t.regex(
		reply.message!,
		/^Cannot unmount .*: 9 bytes of bucket test are not in S3: .*HTTP 503.*\. It stays mounted and keeps trying/,
	);
	t.is(await inPod(directory, 'cat "$D/file"'), 'precious\n');

	await server.setFaults({});
	const deadlineMs = performance.now() + 90_000;
	let status = reply.status;
	while (status !== 'Success' && performance.now() < deadlineMs) {
		({status} = (await node.unmount(directory)).reply); // As the kubelet does, again and again.
	}

	t.is(status, 'Success');
	t.deepEqual(await keysOf(t, server), ['file']);
	t.deepEqual(volumes(node), []);
});

test.serial('bytes that S3 refuses for good are kept on the node when the volume is unmounted', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, optionsFor(server, {durability: 'journal'}));
	await server.setFaults({errors: [{operation: 'PutObject', status: 400, code: 'InvalidArgument'}]});
	await inPod(directory, 'echo precious >"$D/file"');
	t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	const [volume] = volumes(node);
	const kept = join(node.stateDirectory, 'volumes', volume!, 'staging', 'failed');
	const texts = readdirSync(kept).map(name => readFileSync(join(kept, name), 'utf8'));
	t.true(texts.includes('precious\n'));
	t.regex(
		node.log(),
		/"call":"unmount","path":"uid-1\/volumes\/pnx~volume\/v",.*"status":"Success","remark":"bytes that S3 lacks are kept in /,
	);
});

test.serial(
	"the pod's fsGroup is the group of everything, with group-writable modes, and no object is touched",
	async t => {
		const server = await spawnTestDevServer(t);
		const client = createTestClient(t, server);
		await client.send(new PutObjectCommand({Bucket: server.bucket, Key: 'dir/old', Body: 'old'}));
		await server.clearRequests();
		const node = createDriverHarness(t);
		const directory = node.podDirectory('uid-1');
		t.is(
			(await node.mount(directory, optionsFor(server, {'kubernetes.io/mounterArgs.FsGroup': '1234'}))).output,
			'{"status":"Success"}\n',
		);
		t.regex(
			await inPod(directory, 'stat -c "%g %A" "$D" "$D/dir" "$D/dir/old"'),
			/^1234 drwxrws?r-x\n1234 drwxrws?r-x\n1234 -rw-rw-r--\n$/i,
		);
		const changes = (await server.listRequests()).filter(({operation}) => /^(Put|Copy|Delete|Create)/.test(operation));
		t.deepEqual(changes, []);
		await node.unmount(directory);
		const {Metadata} = await client.send(new HeadObjectCommand({Bucket: server.bucket, Key: 'dir/old'}));
		t.deepEqual(Metadata, {});
	},
);

test.serial('a pod that asked for a read-only volume gets EROFS, on a mount that is read-only itself', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is(
		(await node.mount(directory, optionsFor(server, {'kubernetes.io/readwrite': 'ro'}))).output,
		'{"status":"Success"}\n',
	);
	await t.throwsAsync(inPod(directory, 'echo x >"$D/file"'), {message: /Read-only file system/});
	t.true(mountsAt(readMountTable(), directory)[0]!.options.includes('ro'));
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial(
	'wrong credentials are a Failure that says so, with nothing secret in it and nothing left behind',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t);
		const directory = node.podDirectory('uid-1');
		const {reply, output} = await node.mount(
			directory,
			optionsFor(server, {'kubernetes.io/secret/secret-access-key': base64('wrong-secret')}),
		);
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, /credential|secret|signature|access key/i);
		t.false(output.includes('wrong-secret'));
		t.false(node.log().includes('wrong-secret'));
		t.deepEqual(leftMounts(node), []);
		t.deepEqual(volumes(node), []);
		t.deepEqual(readdirSync(directory), []);
	},
);

test.serial('an S3 that never answers is a Failure within the deadline, with nothing left behind', async t => {
	const silent = createServer(() => undefined);
	await new Promise<void>(resolve => {
		silent.listen(0, '127.0.0.1', resolve);
	});
	t.teardown(() => silent.close());
	const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
	const node = createDriverHarness(t, {PNX_VOLUME_MOUNT_TIMEOUT_MS: '4000'});
	const {reply, durationMs} = await node.mount(node.podDirectory('uid-1'), {
		name: 'bucket-1',
		endpoint,
		'path-style': 'true',
		'kubernetes.io/secret/accessKey': base64('a'),
		'kubernetes.io/secret/secretKey': base64('b'),
	});
	t.is(reply.status, 'Failure');
	t.true(durationMs < 90_000, `${durationMs} ms`);
	t.deepEqual(leftMounts(node), []);
	t.deepEqual(volumes(node), []);
});

test.serial('the credentials of a running volume are in no argument and no environment of any process', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, optionsFor(server));
	const {pid} = daemonOf(node);
	for (const file of ['cmdline', 'environ']) {
		const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
		t.false(text.includes(server.credentials.secretAccessKey), file);
		t.false(text.includes(base64(server.credentials.secretAccessKey)), file);
	}

	t.regex(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size +0 +0 /);
	t.false(node.log().includes(server.credentials.secretAccessKey));
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial('six pods at once, on and off, leave one consistent node', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directories = Array.from({length: 6}, (_, index) => node.podDirectory(`uid-${index}`));
	const mounts = await Promise.all(directories.map(async directory => node.mount(directory, optionsFor(server))));
	t.deepEqual(new Set(mounts.map(({output}) => output)), new Set(['{"status":"Success"}\n']));
	await Promise.all(directories.map(async (directory, index) => inPod(directory, `echo ${index} >"$D/file-${index}"`)));
	t.is(await inPod(directories[0]!, 'cat "$D"/file-*'), '0\n1\n2\n3\n4\n5\n');
	const half = await Promise.all([
		...directories.slice(0, 3).map(async directory => node.unmount(directory)),
		...directories.slice(3).map(async directory => node.mount(directory, optionsFor(server))),
	]);
	t.deepEqual(new Set(half.map(({reply}) => reply.status)), new Set(['Success']));
	t.is(readAllVolumeStates(node.stateDirectory)[0]!.pods.length, 3);
	await Promise.all(directories.slice(3).map(async directory => node.unmount(directory)));
	t.deepEqual(leftMounts(node), []);
	t.deepEqual(volumes(node), []);
	t.is((await keysOf(t, server)).length, 6);
});
