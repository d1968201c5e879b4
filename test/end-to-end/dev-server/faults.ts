import {randomBytes} from 'node:crypto';
import {
	CreateBucketCommand,
	GetObjectCommand,
	HeadBucketCommand,
	HeadObjectCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	RenameObjectCommand,
	type S3Client,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import type {DevServer} from '../../../src/dev-server/dev-server.ts';
import {createTestClient, spawnTestDevServer, startTestDevServer} from '../../support/dev-server.ts';

const data = randomBytes(2_000_000);

type Place = {
	server: DevServer;
	client: S3Client;
	Bucket: string;
	put: (Key: string, Body?: Uint8Array | string) => Promise<unknown>;
	get: (Key: string) => Promise<Buffer>;
};

const wait = (ms: number): Promise<void> =>
	new Promise(resolve => {
		setTimeout(resolve, ms);
	});

const withClient = async (t: ExecutionContext): Promise<Place> => {
	const {server, endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	return {
		server,
		client,
		Bucket,
		put: (Key, Body = 'x') => client.send(new PutObjectCommand({Bucket, Key, Body})),
		get: async Key =>
			Buffer.from(await (await client.send(new GetObjectCommand({Bucket, Key}))).Body!.transformToByteArray()),
	};
};

test('an error strikes the operation and the keys that it names, as often as it says', async t => {
	const {server, put, get} = await withClient(t);
	server.faults.errors = [{operation: 'PutObject', status: 503, code: 'SlowDown', key: 'a/', count: 2}];
	await t.notThrowsAsync(put('b/1'));
	await t.throwsAsync(put('a/1'), {name: 'SlowDown'});
	await t.throwsAsync(get('a/1'), {name: 'NoSuchKey'});
	await t.throwsAsync(put('a/1'), {name: 'SlowDown'});
	await t.notThrowsAsync(put('a/1'));
	server.faults.errors = [{status: 500, code: 'InternalError', key: /\.tmp$/}];
	await t.throwsAsync(put('x.tmp'), {name: 'InternalError'});
	await t.notThrowsAsync(put('x.tmp2'));
});

test('an error with a rate strikes about that often, and the same ones each time', async t => {
	const strike = async (): Promise<string> => {
		const {server, put} = await withClient(t);
		server.faults.errors = [{status: 503, code: 'SlowDown', rate: 0.3}];
		let outcome = '';
		for (let index = 0; index < 100; index++) {
			outcome += await put('k').then(
				() => '.',
				() => 'x',
			);
		}

		return outcome;
	};

	const first = await strike();
	t.is(await strike(), first);
	const count = first.replaceAll('.', '').length;
	t.true(count > 15 && count < 45, first);
});

test('latency is added to every request or to one operation', async t => {
	const {server, client, Bucket, put} = await withClient(t);
	server.faults.latencyMsByOperation = {HeadObject: 300};
	await put('k');
	const msOfHead = async (): Promise<number> => {
		const startMs = performance.now();
		await client.send(new HeadObjectCommand({Bucket, Key: 'k'}));
		return performance.now() - startMs;
	};

	t.true((await msOfHead()) >= 290);
	server.faults.latencyMs = 300;
	t.true((await msOfHead()) >= 590);
	server.faults.latencyMs = 0;
	server.faults.latencyMsByOperation = {PutObject: 600_000};
	const abort = new AbortController();
	const waiting = client.send(new PutObjectCommand({Bucket, Key: 'k', Body: 'x'}), {abortSignal: abort.signal});
	await msOfHead(); // Other operations do not wait.
	abort.abort();
	await t.throwsAsync(waiting, {name: 'AbortError'});
});

test('a connection dropped before the answer: before the write nothing is stored, after it everything', async t => {
	const {server, put, get} = await withClient(t);
	server.faults.drops = [{operation: 'PutObject', when: 'before', count: 1}];
	await t.throwsAsync(put('k', 'one'));
	await t.throwsAsync(get('k'), {name: 'NoSuchKey'});
	server.faults.drops = [{operation: 'PutObject', when: 'after', count: 1}];
	await t.throwsAsync(put('k', 'two'));
	t.is((await get('k')).toString(), 'two');
});

test('a connection dropped in the middle of a body leaves no half object and gives no whole answer', async t => {
	const {server, put, get} = await withClient(t);
	await put('k', data);
	await put('small', 'some text');
	server.faults.drops = [{when: 'body'}];
	await t.throwsAsync(get('k'));
	await t.throwsAsync(get('small'));
	await t.throwsAsync(put('k2', data));
	server.faults.drops = [];
	t.true((await get('k')).equals(data));
	await t.throwsAsync(get('k2'), {name: 'NoSuchKey'});
});

test('a stalled connection never answers, and the server still closes', async t => {
	const {server, put, get} = await withClient(t);
	await put('k', data);
	server.faults.stalls = [
		{key: 'before', when: 'before'},
		{key: 'after', when: 'after'},
		{key: 'k', when: 'body'},
		{key: 'body', when: 'body'},
	];
	const calls = [get('before'), put('after', 'stored'), get('k'), put('body', data)].map(call =>
		call.then(
			() => 'answered',
			() => 'broken',
		),
	);
	while (server.requests.count() < calls.length + 1) {
		await wait(10);
	}

	t.is(await Promise.race([...calls, wait(300).then(() => 'silent')]), 'silent');
	server.faults.stalls = [];
	t.is((await get('after')).toString(), 'stored');
	await t.throwsAsync(get('body'), {name: 'NoSuchKey'});
	await server.close();
	t.deepEqual(await Promise.all(calls), ['broken', 'broken', 'broken', 'broken']);
});

test('corruption flips one byte of the answer and none of the object', async t => {
	const {server, put, get} = await withClient(t);
	await put('k', data);
	server.faults.corruptions = [{operation: 'GetObject', count: 1}];
	const corrupted = await get('k').catch(() => undefined);
	// The SDK may notice by the checksum: either way these are not the bytes.
	t.false(corrupted?.equals(data) ?? false);
	t.true((await get('k')).equals(data));
});

test('named operations are not implemented, and RenameObject never is', async t => {
	const {server, client, Bucket, put} = await withClient(t);
	server.faults.notImplemented = ['ListObjectsV2'];
	await t.throwsAsync(client.send(new ListObjectsV2Command({Bucket})), {name: 'NotImplemented'});
	await t.notThrowsAsync(put('k'));
	server.faults.notImplemented = [];
	await t.notThrowsAsync(client.send(new ListObjectsV2Command({Bucket})));
	await t.throwsAsync(client.send(new RenameObjectCommand({Bucket, Key: 'new', RenameSource: 'k'})), {
		name: 'NotImplemented',
	});
});

test('a server that is down breaks connections in use and new ones, and comes back', async t => {
	const {server, put, get} = await withClient(t);
	await put('k');
	server.faults.latencyMs = 10_000;
	const waiting = put('slow').then(
		() => 'answered',
		() => 'broken',
	);
	while (server.requests.count({key: 'slow'}) === 0) {
		await wait(5);
	}

	server.faults.down = true;
	server.faults.latencyMs = 0;
	t.is(await waiting, 'broken');
	await t.throwsAsync(put('k'));
	server.faults.down = false;
	t.is((await get('k')).toString(), 'x');
});

test('a bucket of somebody else cannot be created and denies everything', async t => {
	const {server, client} = await withClient(t);
	server.faults.foreignBuckets = ['theirs'];
	await t.throwsAsync(client.send(new CreateBucketCommand({Bucket: 'theirs'})), {name: 'BucketAlreadyExists'});
	const error = await t.throwsAsync(client.send(new HeadBucketCommand({Bucket: 'theirs'})));
	t.is((error as unknown as {$metadata: {httpStatusCode: number}}).$metadata.httpStatusCode, 403);
	await t.throwsAsync(client.send(new ListObjectsV2Command({Bucket: 'theirs'})), {name: 'AccessDenied'});
});

test('requests are counted by operation and key, and forgotten when told', async t => {
	const {server, put, get} = await withClient(t);
	await put('a/1');
	await put('b/1');
	await get('a/1');
	await t.throwsAsync(get('none'));
	t.is(server.requests.count(), 4);
	t.is(server.requests.count({operation: 'PutObject'}), 2);
	t.is(server.requests.count({key: 'a/'}), 2);
	t.is(server.requests.count({operation: 'GetObject', key: /1$/}), 1);
	t.like(server.requests.list({operation: 'GetObject', key: 'none'})[0], {
		status: 404,
		code: 'NoSuchKey',
		bucket: 'test',
	});
	server.requests.clear();
	t.is(server.requests.count(), 0);
	t.deepEqual(server.requests.list(), []);
});

test('the log keeps the newest 10,000 requests and counts all', async t => {
	const {server, client, Bucket} = await withClient(t);
	for (let index = 0; index < 10_050; index++) {
		server.requests.add({operation: 'Test', bucket: Bucket, key: `${index}`, atMs: index});
	}

	t.is(server.requests.count({operation: 'Test'}), 10_050);
	const list = server.requests.list();
	t.is(list.length, 10_000);
	t.deepEqual([list[0]!.key, list.at(-1)!.key], ['50', '10049']);
	t.truthy(client);
});

test('the switches work over HTTP on a server in another process', async t => {
	const place = await spawnTestDevServer(t);
	const client = createTestClient(t, place);
	const put = (Key: string) => client.send(new PutObjectCommand({Bucket: place.bucket, Key, Body: 'x'}));
	t.is(await place.countRequests(), 0);
	await put('a');
	await place.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'SlowDown', key: /^a$/}]});
	await t.throwsAsync(put('a'), {name: 'SlowDown'});
	t.is(await place.countRequests({operation: 'PutObject', key: 'a'}), 2);
	t.deepEqual(
		(await place.listRequests({operation: 'PutObject'})).map(request => request.status),
		[200, 503],
	);
	await place.setFaults({down: true});
	await t.throwsAsync(put('a'));
	await place.setFaults({});
	await t.notThrowsAsync(put('a'));
	await place.clearRequests();
	t.is(await place.countRequests(), 0);
	await t.throwsAsync(place.setFaults({latenzy: 1} as object), {message: /latenzy/});
});
