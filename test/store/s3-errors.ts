import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import test from 'ava';
import type {StoreErrorCode} from '../../src/model/store-error.ts';
import {parseRefusal, toRefusalError} from '../../src/store/s3-errors.ts';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';
import {devCredentials, startTestDevServer} from '../support/dev-server.ts';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';

const cases: ReadonlyArray<readonly [status: number, s3Code: string, code: StoreErrorCode, words: RegExp]> = [
	[403, 'AccessDenied', 'accessDenied', /access denied; allow s3:PutObject on bucket "test"/],
	[403, 'InvalidAccessKeyId', 'badCredentials', /does not know the access key/],
	[403, 'SignatureDoesNotMatch', 'badCredentials', /secret key is wrong/],
	[400, 'ExpiredToken', 'badCredentials', /have expired/],
	[403, 'RequestTimeTooSkewed', 'clockSkew', /set the clock of this machine/],
	[301, 'PermanentRedirect', 'wrongRegion', /set the option "region"/],
	[400, 'AuthorizationHeaderMalformed', 'wrongRegion', /set the option "region"/],
	[404, 'NoSuchBucket', 'noSuchBucket', /bucket "test" does not exist/],
	[412, 'PreconditionFailed', 'preconditionFailed', /changed meanwhile, or exists already/],
	[400, 'EntityTooLarge', 'tooLarge', /refused/],
	[400, 'KeyTooLongError', 'keyTooLong', /1024 bytes/],
	[400, 'InvalidArgument', 'invalidRequest', /refused it: because we say so/],
	[405, 'MethodNotAllowed', 'notImplemented', /does not allow this call/],
	[501, 'NotImplemented', 'notImplemented', /does not know this call/],
	[507, 'XMinioStorageFull', 'noSpace', /disks are full/],
	[418, 'Unheard', 'invalidRequest', /because we say so/],
];

for (const [status, s3Code, code, words] of cases) {
	test(`${status} ${s3Code} is ${code}, in words for people`, async t => {
		const {store, server} = await startTestS3Store(t);
		server.faults.errors = [{status, code: s3Code, message: 'because\nwe say so'}];
		const error = await throwsStoreError(t, code, store.put('a/b', Buffer.from('x')));
		t.regex(error.message, words);
		t.regex(error.message, /^Cannot write "a\/b" in bucket "test": /);
		t.false(/[\n\r]|dev-secret/.test(error.message));
		t.is(error.s3Code, s3Code);
		t.is(error.status, status);
		t.is(server.requests.count(), 1);
	});
}

test('head() tells why it was refused although HEAD has no body', async t => {
	const {server, endpoint, bucket} = await startTestDevServer(t);
	const connect = (credentials: {accessKeyId: string; secretAccessKey: string}, nowMs = Date.now) => {
		const store = createS3ObjectStore({bucket, region: 'us-east-1', endpoint, credentials, nowMs});
		t.teardown(async () => store.close());
		return store;
	};

	await throwsStoreError(t, 'badCredentials', connect({accessKeyId: 'nobody', secretAccessKey: 'x'}).head('file'));
	await throwsStoreError(t, 'badCredentials', connect({...devCredentials, secretAccessKey: 'wrong'}).head('file'));
	await throwsStoreError(t, 'clockSkew', connect(devCredentials, () => Date.now() + 3_600_000).head('file'));
	server.faults.foreignBuckets = [bucket];
	await throwsStoreError(t, 'accessDenied', connect(devCredentials).head('file'));
});

test('a refusal without a body is told from the clocks, whichever of them is ahead', t => {
	const context = {operation: 'HeadObject', action: 'look', bucket: 'test', place: 'here'};
	const judge = (aheadMs: number) =>
		toRefusalError(context, parseRefusal(403, {date: new Date(Date.now() - aheadMs).toUTCString()}, ''));
	for (const [aheadMs, words] of [
		[3_600_000, /the clocks differ: this machine is 36\d\d s ahead of the server; set the clock/],
		[-3_600_000, /the clocks differ: this machine is 3[56]\d\d s behind the server; set the clock/],
	] as const) {
		t.is(judge(aheadMs).code, 'clockSkew');
		t.regex(judge(aheadMs).message, words);
	}

	for (const aheadMs of [600_000, -600_000]) {
		t.is(judge(aheadMs).code, 'accessDenied');
	}
});

for (const [what, faults] of [
	['is answered', {}],
	['has no answer', {drops: [{operation: 'GetObject', when: 'before'} as const]}],
] as const) {
	test(`a refusal of head() without a reason is not for good when a GET just after ${what}`, async t => {
		const {store, server} = await startTestS3Store(t, {timeoutMs: 5000});
		await store.put('file', Buffer.from('x'));
		for (const [status, code] of [
			[400, 'ExpiredToken'],
			[403, 'RequestTimeTooSkewed'],
		] as const) {
			server.faults.errors = [{operation: 'HeadObject', status, code}];
			server.faults.drops = [...(faults.drops ?? [])];
			const error = await throwsStoreError(t, 'unavailable', store.head('file'));
			t.true(error.isTransient);
		}
	});
}

test('a bucket in another region is named with its region', async t => {
	const {endpoint, bucket, credentials} = await startTestDevServer(t);
	const store = createS3ObjectStore({bucket, region: 'eu-central-1', endpoint, credentials});
	t.teardown(async () => store.close());
	for (const call of [async () => store.list({prefix: ''}), async () => store.head('file')]) {
		const error = await throwsStoreError(t, 'wrongRegion', call());
		t.is(error.region, 'us-east-1');
		t.regex(error.message, /set the option "region" to "us-east-1"/);
	}
});

test('a bucket that does not exist fails reads of keys, too', async t => {
	const {endpoint, credentials} = await startTestDevServer(t);
	const store = createS3ObjectStore({bucket: 'absent', region: 'us-east-1', endpoint, credentials});
	t.teardown(async () => store.close());
	await throwsStoreError(t, 'noSuchBucket', store.get('file'));
	await throwsStoreError(t, 'noSuchBucket', store.list({prefix: ''}));
	await throwsStoreError(t, 'noSuchBucket', store.delete('file'));
});

test('a failure inside of a 200 answer is a failure', async t => {
	let requestCount = 0;
	// A server that cannot know it earlier, as S3 does it: the status is sent before the copy is made.
	const server = createServer((request, response) => {
		request.resume();
		requestCount++;
		response.end(
			requestCount < 3
				? '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>try again</Message></Error>'
				: '<?xml version="1.0" encoding="UTF-8"?>\n\n   <CopyObjectResult><ETag>&quot;abc&quot;</ETag></CopyObjectResult>',
		);
	}).listen(0, '127.0.0.1');
	t.teardown(() => server.close());
	await new Promise(resolve => {
		server.once('listening', resolve);
	});
	const store = createS3ObjectStore({
		bucket: 'test',
		region: 'us-east-1',
		endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		credentials: devCredentials,
	});
	t.teardown(async () => store.close());
	t.is((await store.copy({key: 'from'}, 'to')).etag, 'abc');
	t.is(requestCount, 3);
});

test('deleteMany() names the keys that failed, and tries those again that failed for now', async t => {
	const {store, server} = await startTestS3Store(t, {keyPrefix: 'p/'});
	for (const key of ['a', 'b', 'control\u0001']) {
		await store.put(key, Buffer.from('x'));
	}

	server.faults.errors = [{operation: 'DeleteObject', key: 'p/control', status: 403, code: 'AccessDenied'}];
	const failed = await store.deleteMany([{key: 'a'}, {key: 'b'}, {key: 'control\u0001'}]);
	t.deepEqual(
		failed.map(({key}) => key),
		['control\u0001'],
	);
	t.like(failed[0]?.error, {code: 'accessDenied'});
	t.deepEqual(
		(await store.list({prefix: ''})).objects.map(({key}) => key),
		['control\u0001'],
	);
});
