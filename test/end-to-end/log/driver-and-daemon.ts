import {execFile} from 'node:child_process';
import {copyFileSync, readFileSync, truncateSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import {PutObjectCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {createTestClient, spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {createDriverHarness, type DriverHarness} from '../../support/driver.ts';

const run = promisify(execFile);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const daemonOf = (node: DriverHarness) => readAllVolumeStates(node.stateDirectory)[0]!.daemon!;

const optionsFor = (
	{endpoint, bucket, credentials}: SpawnedDevServer,
	pod: string,
	more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
	name: bucket,
	endpoint,
	'path-style': 'true',
	'kubernetes.io/pod.name': pod,
	'kubernetes.io/pod.namespace': 'shop',
	'kubernetes.io/pod.uid': `uid-${pod}`,
	'kubernetes.io/secret/access-key-id': base64(credentials.accessKeyId),
	'kubernetes.io/secret/secret-access-key': base64(credentials.secretAccessKey),
	...more,
});

/** Where daemons write to the file of the driver; under systemd it would be the journal. */
const toFile = {PNX_VOLUME_LAUNCH: 'session'};

type Line = Readonly<Record<string, unknown>>;

/** Every line, each of which has to be JSON and has to have the fields that all lines have. */
const linesOf = (t: ExecutionContext, text: string): Line[] =>
	text
		.trimEnd()
		.split('\n')
		.map(line => {
			t.true(line.startsWith('{'), line);
			const fields = JSON.parse(line) as Line;
			t.regex(JSON.stringify(fields['level']), /^"(?:trace|debug|info|warn|error|fatal)"$/, line);
			t.regex(JSON.stringify(fields['time']), /^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$/, line);
			t.is(typeof fields['pid'], 'number', line);
			t.is(typeof fields['msg'], 'string', line);
			return fields;
		});

/** Has the daemon write a line, which tells its new level, and waits until it is there. */
const changeLevel = async (node: DriverHarness): Promise<void> => {
	const count = () => node.log().split('log level changed').length;
	const before = count();
	process.kill(daemonOf(node).pid, 'SIGUSR2');
	while (count() === before) {
		await delay(20);
	}
};

test.serial(
	'driver and daemon write one log of JSON lines, each with the volume and the pods that it concerns',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t, toFile);
		const [first, second] = [node.podDirectory('uid-web-1'), node.podDirectory('uid-web-2')];
		await node.call('init');
		t.is((await node.mount(first, optionsFor(server, 'web-1'))).reply.status, 'Success', node.log());
		const {volumeId} = readAllVolumeStates(node.stateDirectory)[0]!;
		t.is((await node.mount(second, optionsFor(server, 'web-2'))).reply.status, 'Success');
		await delay(1100); // So old may be what a daemon knows of its pods.
		await changeLevel(node);
		t.is((await node.unmount(first)).reply.status, 'Success');
		await delay(1100);
		await changeLevel(node);
		t.is((await node.unmount(second)).reply.status, 'Success');

		const lines = linesOf(t, node.log());
		t.like(
			lines.find(({call}) => call === 'init'),
			{status: 'Success'},
		);
		for (const [call, pod] of [
			['mount', 'shop/web-1'],
			['mount', 'shop/web-2'],
			['unmount', 'shop/web-1'],
			['unmount', 'shop/web-2'],
		]) {
			t.truthy(
				lines.find(
					line =>
						line['call'] === call &&
						line['pod'] === pod &&
						line['volume'] === volumeId &&
						line['bucket'] === server.bucket,
				),
				`${call} ${pod}`,
			);
		}

		const ofDaemon = lines.filter(line => line['call'] === undefined);
		t.deepEqual(
			ofDaemon.filter(line => line['volume'] !== volumeId || line['bucket'] !== server.bucket),
			[],
		);
		t.like(
			ofDaemon.find(({msg}) => msg === 'volume mounted'),
			{pod: 'shop/web-1'},
		);
		const [debug, trace] = ofDaemon.filter(({msg}) => msg === 'log level changed');
		t.like(debug, {newLevel: 'debug', pods: ['shop/web-1', 'shop/web-2']});
		t.like(trace, {newLevel: 'trace', pod: 'shop/web-2'});
	},
);

test.serial(
	'a log that is copied and truncated loses nothing that comes after, though the daemon holds it open',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t, toFile);
		const directory = node.podDirectory('uid-web-1');
		t.is((await node.mount(directory, optionsFor(server, 'web-1'))).reply.status, 'Success', node.log());
		await changeLevel(node);
		const rotated = `${node.logPath}.1`;
		copyFileSync(node.logPath, rotated);
		truncateSync(node.logPath);
		await changeLevel(node);
		t.is((await node.unmount(directory)).reply.status, 'Success');

		t.deepEqual(
			linesOf(t, readFileSync(rotated, 'utf8'))
				.filter(({msg}) => msg === 'log level changed')
				.map(({newLevel}) => newLevel),
			['debug'],
		);
		t.false(node.log().includes('\0'), 'no hole where the old lines were');
		const lines = linesOf(t, node.log());
		t.like(lines[0], {msg: 'log level changed', newLevel: 'trace'});
		t.like(lines.at(-1), {call: 'unmount', status: 'Success'});
	},
);

test.serial('no secret is in the log, whatever goes wrong, and names of any bytes break no line', async t => {
	const server = await spawnTestDevServer(t);
	const canaries = {
		key: 'canary-secret-key-0123456789',
		token: 'canary/session+token==',
		other: 'canary-other-secret',
		ofNode: 'canary-of-the-node-itself',
		option: 'canary-in-an-option',
	};
	const node = createDriverHarness(t, {
		...toFile,
		AWS_ACCESS_KEY_ID: 'AKIANODE',
		AWS_SECRET_ACCESS_KEY: canaries.ofNode,
		AWS_SESSION_TOKEN: canaries.ofNode,
	});
	const directory = node.podDirectory('uid-web-1');
	const good = optionsFor(server, 'web-1', {'log-level': 'trace'});
	const failing = [
		{
			...good,
			'kubernetes.io/secret/secret-access-key': base64(canaries.key),
			'kubernetes.io/secret/session-token': base64(canaries.token),
		},
		{
			...good,
			'kubernetes.io/secret/secret-access-key': 'not-base64!'.concat(canaries.other),
			'kubernetes.io/secret/other': base64(canaries.other),
		},
		{...good, endpoint: `http://user:${canaries.option}@127.0.0.1:1/`},
		{name: server.bucket, endpoint: server.endpoint, 'path-style': 'true'},
	];
	for (const options of failing) {
		t.is((await node.mount(directory, options)).reply.status, 'Failure');
	}

	const client = createTestClient(t, server);
	for (const name of ['a"b', 'a\nb', 'a\u2028\\', '\u001B[2J', '🦊']) {
		await client.send(new PutObjectCommand({Bucket: server.bucket, Key: name, Body: 'x'}));
	}

	t.is((await node.mount(directory, good)).reply.status, 'Success', node.log());
	await run(
		'/bin/sh',
		[
			'-c',
			'cd "$0"; ls >/dev/null; for f in *; do cat "$f" >/dev/null; done; cat "$(printf "\\377\\376")" no-such "$(printf "x\\n\\"y")"; true',
			directory,
		],
		{cwd: '/', timeout: 300_000},
	);
	await server.stop();
	await run('/bin/sh', ['-c', 'cat "$0/not-there-either" 2>/dev/null; true', directory], {cwd: '/', timeout: 300_000});
	await node.unmount(directory);

	const lines = linesOf(t, node.log());
	t.true(
		lines.some(({subject}) => subject === '/a"b'),
		'operations are logged',
	);
	t.true(lines.some(({subject}) => subject === '/a\nb'));
	t.true(lines.filter(({status}) => status === 'Failure').length >= failing.length);
	for (const canary of [...Object.values(canaries), server.credentials.secretAccessKey]) {
		for (const spelling of [canary, base64(canary), encodeURIComponent(canary)]) {
			t.false(node.log().includes(spelling), spelling);
		}
	}
});
