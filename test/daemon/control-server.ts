import {once} from 'node:events';
import {stat, writeFile} from 'node:fs/promises';
import {connect} from 'node:net';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {askMetrics, askStatus, askToEnd, askToWarmUp} from '../../src/node/launch/control-client.ts';
import {ControlServer, parseControlRequest, type ControlHandler} from '../../src/daemon/control-server.ts';
import {createDeadline} from '../../src/node/deadline.ts';
import type {MetricSamples} from '../../src/model/metric-samples.ts';
import type {DaemonStatus} from '../../src/node/launch/daemon-protocol.ts';
import {createTestDirectory} from '../support/dev-server.ts';

const status: DaemonStatus = {
	volumeId: 'v',
	pid: 1,
	version: '1',
	startedAtMs: 0,
	bucket: 'b',
	prefix: '',
	mountPoint: '/m',
	residentBytes: 1,
	fileSystem: {
		openHandles: 0,
		dirtyBytes: 0,
		uploadsPending: 0,
		uploadsFailed: 0,
		conflicts: 0,
		cacheBytes: 0,
		stagingBytes: 0,
	},
};

const samples: MetricSamples = {
	counters: [{name: 'c', labels: {operation: 'read "it"'}, value: 1}],
	gauges: [],
	histograms: [{name: 'h', labels: {}, bounds: [1], bucketCounts: [1, 0], sum: 0.5}],
};

const start = async (t: ExecutionContext, handler: Partial<ControlHandler> = {}): Promise<string> => {
	const path = join(await createTestDirectory(t), 'control.sock');
	await writeFile(path, 'left by an earlier process');
	const server = await ControlServer.start(path, {
		status: () => status,
		metrics: () => samples,
		drain: async () => undefined,
		warmUp: async () => ({files: 0, bytes: 0, skippedFiles: 0, failedFiles: 0}),
		linger: () => undefined,
		stop: async () => undefined,
		...handler,
	});
	t.teardown(async () => server.close());
	return path;
};

test('status is answered; the socket replaces an old one and is for its owner only', async t => {
	const path = await start(t);
	t.is((await stat(path)).mode & 0o777, 0o600);
	t.deepEqual(await askStatus(path, createDeadline(300_000)), status);
});

test('metrics are answered as they are', async t => {
	const path = await start(t);
	t.deepEqual(await askMetrics(path, createDeadline(300_000)), samples);
});

test('drain and stop report progress, then done or why they failed', async t => {
	const path = await start(t, {
		async drain({timeoutMs, onProgress}) {
			t.true(timeoutMs > 1000);
			onProgress({dirtyBytes: 5, uploadsPending: 1});
		},
		async stop() {
			throw new Error('Cannot upload: S3 is away');
		},
	});
	const progress: unknown[] = [];
	t.deepEqual(await askToEnd(path, 'drain', createDeadline(300_000), step => progress.push(step)), {
		outcome: 'done',
		dirtyBytes: 5,
	});
	t.deepEqual(progress, [{dirtyBytes: 5, uploadsPending: 1}]);
	t.like(await askToEnd(path, 'stop', createDeadline(300_000)), {
		outcome: 'failed',
		message: 'Cannot upload: S3 is away',
	});
});

test('warmup reports how far it was, then done or why it failed', async t => {
	const progress = {files: 3, bytes: 4096, skippedFiles: 0, failedFiles: 0};
	const path = await start(t, {
		async warmUp(where, {isMetadataOnly}) {
			if (where === 'absent') {
				throw new Error('Nothing is called absent');
			}

			t.is(where, 'models');
			t.true(isMetadataOnly);
			return progress;
		},
	});
	const request = {path: 'models', isMetadataOnly: true};
	t.deepEqual(await askToWarmUp(path, request, createDeadline(300_000)), {outcome: 'done', progress});
	t.deepEqual(await askToWarmUp(path, {...request, path: 'absent'}, createDeadline(300_000)), {
		outcome: 'failed',
		message: 'Nothing is called absent',
	});
	t.deepEqual(await askToWarmUp(`${path}.none`, request, createDeadline(300_000)), {outcome: 'unreachable'});
});

test('drain ends when nobody waits for it any more', async t => {
	const {promise: ended, resolve: end} = Promise.withResolvers<void>();
	const path = await start(t, {
		drain: async ({signal}) =>
			new Promise((_resolve, reject) => {
				signal.addEventListener('abort', () => {
					end();
					reject(new Error('gone'));
				});
			}),
	});
	const socket = connect(path);
	socket.write('{"request":"drain","timeoutMs":60000}\n');
	await once(socket, 'ready');
	setTimeout(() => socket.destroy(), 50);
	await ended;
	t.pass();
});

test('a request that is too long or unknown is refused with a reason', async t => {
	const path = await start(t);
	for (const [request, reason] of [
		['x'.repeat(9000), /longer than 8192/],
		['{"request":"warmup","path":1}\n', /path must be a text/],
		['{"request":"explode"}\n', /must be/],
		['nonsense\n', /JSON/],
		['{"request":"drain","timeoutMs":-1}\n', /timeoutMs/],
	] as const) {
		const socket = connect(path);
		socket.end(request);
		t.regex(await text(socket), reason);
	}
});

test('parseControlRequest() takes what the protocol has', t => {
	t.deepEqual(parseControlRequest('{"request":"status"}'), {request: 'status'});
	t.deepEqual(parseControlRequest('{"request":"stop","timeoutMs":5}'), {request: 'stop', timeoutMs: 5});
	t.throws(() => parseControlRequest('null'));
});
