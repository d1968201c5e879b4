import {readFile} from 'node:fs/promises';
import {createServer, type Server} from 'node:net';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {StoreError} from '../../src/model/store-error.ts';
import {type AttemptOutcome, withRetries} from '../../src/store/s3-retries.ts';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';
import {devCredentials} from '../support/dev-server.ts';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';

/** Silence of 10 s is too long for it: more than a loaded machine keeps a server from answering. */
const patient = {timeoutMs: 20_000};

const bytes = (text: string): Uint8Array => Buffer.from(text);

for (const [status, code] of [
	[503, 'SlowDown'],
	[503, 'ServiceUnavailable'],
	[500, 'InternalError'],
	[429, 'TooManyRequests'],
	[409, 'OperationAborted'],
	[400, 'RequestTimeout'],
	[400, 'ThrottlingException'],
	[400, 'KMS.ThrottlingException'],
] as const) {
	test(`every call is tried again after ${status} ${code}, and then succeeds`, async t => {
		const {store, server} = await startTestS3Store(t);
		await store.put('file', bytes('content'));
		const calls = {
			// HEAD is refused without a code: a bare 400 or 409 is final.
			...(status < 429 ? {} : {HeadObject: async () => store.head('file')}),
			GetObject: async () => store.get('file'),
			ListObjectsV2: async () => store.list({prefix: ''}),
			PutObject: async () => store.put('file', bytes('content')),
			CopyObject: async () => store.copy({key: 'file'}, 'copy'),
			DeleteObject: async () => store.delete('file'),
			DeleteObjects: async () => store.deleteMany([{key: 'file'}]),
			CreateMultipartUpload: async () => store.createMultipartUpload('large'),
		};
		for (const [operation, call] of Object.entries(calls)) {
			server.requests.clear();
			server.faults.errors = [{operation, status, code, count: 2}];
			await call();
			t.is(server.requests.count({operation}), 3, operation);
		}
	});
}

test('every throttling code of the AWS SDK is throttling also with status 400', async t => {
	const {store, server, events} = await startTestS3Store(t);
	const sdkCodes = await readSdkThrottlingCodes();
	t.true(sdkCodes.length >= 14);
	for (const code of sdkCodes) {
		server.faults.errors = [{status: 400, code, count: 1}];
		await store.put('file', bytes('content'));
	}

	const throttled = events.filter(({isThrottled}) => isThrottled);
	t.is(throttled.length, sdkCodes.length);
	t.is(server.requests.count(), 2 * sdkCodes.length);
});

test('a call that keeps being throttled gives up when its attempts are used up, and says so', async t => {
	const {store, server, events} = await startTestS3Store(t, {attemptCountMax: 5});
	server.faults.errors = [{status: 503, code: 'SlowDown'}];
	const error = await throwsStoreError(t, 'throttled', store.put('a/b', bytes('x')));
	t.is(server.requests.count({operation: 'PutObject'}), 5);
	t.is(
		error.message.replace(/in [\d.]+ s$/, 'in N s'),
		'Cannot write "a/b" in bucket "test": the server is busy or broken for now (HTTP 503) (SlowDown); gave up after 5 attempts in N s',
	);
	t.true(error.isTransient);
	t.deepEqual(
		events.map(({operation, status, attempt}) => ({operation, status, attempt})),
		[1, 2, 3, 4, 5].map(attempt => ({operation: 'PutObject', status: 503, attempt})),
	);
});

test('a server that is away for a while is waited for, as long as one call may take', async t => {
	const {store, server} = await startTestS3Store(t, {timeoutMs: 90_000});
	await store.put('file', bytes('content'));
	server.faults.errors = [{status: 503, code: 'ServiceUnavailable'}];
	const waiting = store.head('file');
	while (server.requests.count({operation: 'HeadObject'}) <= 5) {
		await new Promise(setImmediate);
	}

	server.faults.errors = [];
	t.truthy(await waiting, 'More attempts than those that throttling gets');

	const impatient = createTestStore(t, 'http://127.0.0.1:9', 1000);
	const error = await throwsStoreError(t, 'unavailable', impatient.head('file'));
	t.regex(error.message, /ECONNREFUSED.*; gave up after \d+ attempts in [\d.]+ s$/);
});

test('a refusal is not tried again', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.errors = [{status: 403, code: 'AccessDenied'}];
	await throwsStoreError(t, 'accessDenied', store.put('file', bytes('x')));
	t.is(server.requests.count(), 1);
});

test('a call on a connection that the server dropped is tried again', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('file', bytes('content'));
	for (const when of ['before', 'after', 'body'] as const) {
		server.faults.drops = [{operation: 'PutObject', when, count: 1}];
		await store.put(`file-${when}`, bytes('content'));
		t.is((await store.head(`file-${when}`))?.sizeBytes, 7);
	}

	server.faults.drops = [{operation: 'GetObject', when: 'before', count: 1}];
	t.truthy(await store.get('file'));
	server.faults.drops = [{operation: 'ListObjectsV2', when: 'body', count: 1}];
	t.is((await store.list({prefix: ''})).objects.length, 4);
});

test('a server that is silent costs a bounded time and fails with timeout', async t => {
	const {store, server} = await startTestS3Store(t, {timeoutMs: 1000});
	server.faults.stalls = [{when: 'before'}];
	for (const call of [
		async () => store.head('file'),
		async () => store.put('x', bytes('x')),
		async () => store.list({prefix: ''}),
	]) {
		const error = await throwsStoreError(t, 'timeout', call());
		t.regex(error.message, /the server does not (?:answer|take the connection)/); // A busy machine may not take it in time.
	}
});

test('the copy of a small object that gets no answer is tried again, like any other request', async t => {
	const {store, server} = await startTestS3Store(t, patient);
	const {etag} = await store.put('file', bytes('content'));
	server.faults.stalls = [{operation: 'CopyObject', when: 'before', count: 1}];
	await store.copy({key: 'file', etag, sizeBytes: 7}, 'copy');
	t.is(server.requests.count({operation: 'CopyObject'}), 2);
	t.is((await store.head('copy'))?.sizeBytes, 7);
});

test('a body that stops coming fails with timeout, and one that breaks off with unavailable', async t => {
	const {store, server} = await startTestS3Store(t, patient);
	await store.put('file', new Uint8Array(4 << 20));
	const readAll = async (): Promise<number> => {
		let byteCount = 0;
		const answer = await store.get('file');
		for await (const piece of answer!.body) {
			// It was stored above.
			byteCount += piece.length;
		}

		return byteCount;
	};

	server.faults.stalls = [{operation: 'GetObject', when: 'body', count: 1}];
	const stalled = await throwsStoreError(t, 'timeout', readAll());
	t.regex(stalled.message, /^Cannot read "file": no byte came for 10000 ms after \d+ bytes$/);
	server.faults.drops = [{operation: 'GetObject', when: 'body', count: 1}];
	const broken = await throwsStoreError(t, 'unavailable', readAll());
	t.regex(broken.message, /^Cannot read "file": the connection (?:broke|ended) after \d+ of 4194304 bytes$/);
	t.is(server.requests.count({operation: 'GetObject'}), 2);
	t.is(await readAll(), 4 << 20);
});

test('a reader that is slower than the limit for silence still gets its body', async t => {
	const {store} = await startTestS3Store(t, patient);
	await store.put('file', new Uint8Array(1 << 20));
	const answer = await store.get('file');
	let byteCount = 0;
	for await (const piece of answer!.body) {
		// It was stored above.
		if (byteCount === 0) {
			await new Promise(resolve => {
				setTimeout(resolve, 13_000);
			});
		}

		byteCount += piece.length;
	}

	t.is(byteCount, 1 << 20);
});

test('a signal ends a call that waits for the server, and one that waits for its next attempt', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.stalls = [{when: 'before'}];
	await throwsStoreError(t, 'aborted', store.head('file', {signal: AbortSignal.timeout(100)}));
	server.faults.stalls = [];
	server.faults.errors = [{status: 503, code: 'SlowDown'}];
	const controller = new AbortController();
	const waiting = store.put('file', bytes('x'), {signal: controller.signal});
	while (server.requests.count({operation: 'PutObject'}) < 2) {
		await new Promise(setImmediate);
	}

	controller.abort();
	await throwsStoreError(t, 'aborted', waiting);
	const countAtAbort = server.requests.count();
	await new Promise(resolve => {
		setTimeout(resolve, 300);
	});
	t.is(server.requests.count(), countAtAbort);
});

test('more calls than connections wait for their turn', async t => {
	const {store, server} = await startTestS3Store(t, {connectionCountMax: 4});
	server.faults.latencyMs = 5;
	await Promise.all(Array.from({length: 100}, async (_, index) => store.put(`k${index}`, bytes('x'))));
	t.is((await store.list({prefix: ''})).objects.length, 100);
});

test('an endpoint where nobody listens fails with unavailable, and names what to check', async t => {
	const port = await findClosedPort();
	// Long enough for one attempt on a busy machine: else the answer is that there was none in time.
	const patienceMs = 10_000;
	const store = createTestStore(t, `http://127.0.0.1:${port}`, patienceMs);
	const error = await throwsStoreError(t, 'unavailable', store.head('file'));
	t.regex(
		error.message,
		/^Cannot look up "file" in bucket "test" at http:\/\/127\.0\.0\.1:\d+ \(region us-east-1\): the connection was refused \(ECONNREFUSED\); check the option "endpoint", and that the server runs; gave up after \d+ attempts in/,
	);
	const absent = createTestStore(t, 'http://s3.absent.invalid:1', patienceMs);
	t.regex((await throwsStoreError(t, 'unavailable', absent.head('file'))).message, /ENOTFOUND|EAI_AGAIN/);
});

test('a server that takes no bytes of a large body fails with timeout', async t => {
	// It accepts the connection and never reads.
	const server = createServer({pauseOnConnect: true}).listen(0, '127.0.0.1');
	const sockets = new Set<{destroy: () => void}>();
	server.on('connection', socket => sockets.add(socket));
	t.teardown(() => {
		for (const socket of sockets) {
			socket.destroy();
		}

		server.close();
	});
	await new Promise(resolve => {
		server.once('listening', resolve);
	});
	const store = createTestStore(t, `http://127.0.0.1:${portOf(server)}`, 1000);
	await throwsStoreError(
		t,
		'timeout',
		store.put('large', new Uint8Array(64 << 20), {signal: AbortSignal.timeout(100_000)}),
	);
});

const failed = (
	code: 'preconditionFailed' | 'throttled' | 'unavailable',
	outcome: Partial<Extract<AttemptOutcome<string>, {status: 'failed'}>> = {},
): AttemptOutcome<string> => ({
	status: 'failed',
	error: new StoreError(code, 'It failed'),
	isRetriable: true,
	isAmbiguous: false,
	isPauseNeeded: false,
	...outcome,
});

/** Attempts that end like these, one after the other. */
const inTurn = (...outcomes: Array<AttemptOutcome<string>>) => ({
	outcomes,
	attempt: async () => outcomes.shift() ?? failed('preconditionFailed', {isRetriable: false}),
});

const limits = {action: 'try', deadlineMs: 60_000, attemptCountMax: 20};

test('a refusal after a lost answer is asked about, whatever failed in between', async t => {
	const ours = inTurn(failed('unavailable', {isAmbiguous: true}), failed('throttled'));
	t.is(await withRetries(ours.attempt, {...limits, confirm: async () => 'ours'}), 'ours');
	const refused = inTurn(failed('throttled'));
	const confirm = async () => t.fail('Nothing of ours can be there');
	await throwsStoreError(t, 'preconditionFailed', withRetries(refused.attempt, {...limits, confirm}));
});

test('what may be done is looked at before each further attempt, also after one that was throttled', async t => {
	const {outcomes, attempt} = inTurn(
		failed('throttled', {isAmbiguous: true}),
		failed('unavailable', {isAmbiguous: true}),
		failed('throttled', {isAmbiguous: true}),
		failed('unavailable'),
		{status: 'done', result: 'done'},
	);
	const leftAtLooks: number[] = [];
	const beforeRetry = async () => {
		leftAtLooks.push(outcomes.length);
		return undefined;
	};

	t.is(await withRetries(attempt, {...limits, beforeRetry}), 'done');
	t.deepEqual(leftAtLooks, [3, 2, 1], 'Of a request that was throttled nothing was done');
});

test('put() with If-None-Match succeeds when the answer to its own write was lost and the next try was throttled', async t => {
	const {store, server} = await startTestS3Store(t, {
		onRequest({attempt}) {
			server.faults.errors = attempt === 1 ? [{status: 429, code: 'TooManyRequests', count: 1}] : [];
		},
	});
	server.faults.drops = [{operation: 'PutObject', when: 'after', count: 1}];
	t.is((await store.put('file', bytes('x'), {ifNoneMatch: '*'})).etag, (await store.head('file'))!.etag); // It was put just now.
	t.is(server.requests.count({operation: 'PutObject'}), 3);
});

test.serial('pauses grow, end before the deadline, and after five attempts before the patience does', async t => {
	const {random} = Math;
	t.teardown(() => {
		Math.random = random;
	});
	// The longest pauses: 100 ms, 200 ms, 400 ms, ...
	Math.random = () => 1;
	const attemptsWithin = async (more: {deadlineMs: number; patienceMs?: number; attemptCountMax: number}) => {
		let count = 0;
		const attempt = async () => {
			count++;
			return failed('unavailable', {isPauseNeeded: true});
		};

		await throwsStoreError(t, 'unavailable', withRetries(attempt, {...limits, ...more}));
		return count;
	};

	t.true((await attemptsWithin({deadlineMs: 1000, attemptCountMax: 20})) <= 4);
	t.true((await attemptsWithin({deadlineMs: 1000, patienceMs: 60_000, attemptCountMax: 6})) <= 4);
	t.is(await attemptsWithin({deadlineMs: 60_000, patienceMs: 500, attemptCountMax: 7}), 5);
});

/** They are no part of the SDK's interface, so they are read from its file. */
const readSdkThrottlingCodes = async (): Promise<string[]> => {
	const directory = 'node_modules/@smithy/core/dist-es/submodules/retry/service-error-classification';
	const source = await readFile(join(import.meta.dirname, '../..', directory, 'constants.js'), 'utf8');
	const [, list = ''] = /THROTTLING_ERROR_CODES = \[([^\]]*)\]/.exec(source) ?? [];
	return [...list.matchAll(/"([^"]+)"/g)].map(([, code = '']) => code);
};

const createTestStore = (t: ExecutionContext, endpoint: string, timeoutMs = 2000) => {
	const store = createS3ObjectStore({
		bucket: 'test',
		region: 'us-east-1',
		endpoint,
		pathStyle: true,
		credentials: devCredentials,
		timeoutMs,
	});
	t.teardown(async () => store.close());
	return store;
};

const portOf = (server: Server): number => {
	const address = server.address();
	return typeof address === 'object' && address !== null ? address.port : 0;
};

const findClosedPort = async (): Promise<number> => {
	const server = createServer().listen(0, '127.0.0.1');
	await new Promise(resolve => {
		server.once('listening', resolve);
	});
	const port = portOf(server);
	await new Promise(resolve => {
		server.close(resolve);
	});
	return port;
};
