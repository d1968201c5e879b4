/** How operations of the kernel and requests to S3 are counted, without a mount and without a registry. */
import test, {type ExecutionContext} from 'ava';
import {S3Metrics} from '../../src/daemon/s3-metrics.ts';
import {OperationMetrics} from '../../src/fuse/operation-metrics.ts';
import {OperationRunner, type Operation} from '../../src/fuse/operation-runner.ts';
import {FsError} from '../../src/model/fs-error.ts';
import type {Counter, MetricSink} from '../../src/model/metric-sink.ts';
import {Metrics} from '../../src/observability/metrics.ts';

/** Counts by name and labels in one line: `name label=value`. */
const createSink = (): MetricSink & {
	readonly counts: () => Record<string, number>;
	readonly observed: Array<{id: string; value: number}>;
} => {
	const counters = new Map<string, Counter>();
	const observed: Array<{id: string; value: number}> = [];
	const idOf = (name: string, labels: Readonly<Record<string, string>> = {}): string =>
		[name.replace('pnx_volume_', ''), ...Object.entries(labels).map(([label, value]) => `${label}=${value}`)].join(' ');
	return {
		observed,
		counts: () =>
			Object.fromEntries([...counters].filter(([, {value}]) => value !== 0).map(([id, {value}]) => [id, value])),
		counter(name, labels) {
			const id = idOf(name, labels);
			const counter = counters.get(id) ?? {value: 0};
			counters.set(id, counter);
			return counter;
		},
		histogram: (name, labels) => ({observe: value => observed.push({id: idOf(name, labels), value})}),
	};
};

const start = (t: ExecutionContext, durationMsMax = 60_000) => {
	const sink = createSink();
	const ignore = (): void => undefined;
	const log = {trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore};
	const runner = new OperationRunner({log, isEachLogged: false, durationMsMax, metrics: new OperationMetrics(sink)});
	t.teardown(() => runner.close());
	const run = async <T>(
		name: string,
		act: () => Promise<T>,
		details: Partial<Operation<T>> = {},
	): Promise<number | T> =>
		new Promise(resolve => {
			runner.run({name, subject: '/path', act, succeed: resolve, fail: resolve, ...details});
		});
	return {run, runner, ...sink};
};

test('an operation counts once: ok, refused when the answer is ordinary, failed when it is not', async t => {
	const {run, counts, observed} = start(t);
	await run('read', async () => 1);
	await run('read', async () => 2);
	for (const errno of ['ENOENT', 'EEXIST', 'EIO', 'ENOSPC'] as const) {
		await run('open', async () => {
			throw new FsError(errno, 'why');
		});
	}

	await run('write', async () => {
		throw new TypeError('a bug');
	});
	t.deepEqual(counts(), {
		'fuse_operations_total operation=read result=ok': 2,
		'fuse_operations_total operation=open result=refused': 2,
		'fuse_operations_total operation=open result=failed': 2,
		'fuse_operations_total operation=write result=failed': 1,
	});
	t.is(observed.filter(({id}) => id === 'fuse_operation_duration_seconds operation=open').length, 4);
	t.true(
		observed.every(({value}) => value >= 0 && value < 5),
		'In seconds',
	);
});

test('an operation that is given up counts as failed, and its late value not at all', async t => {
	const {run, runner, counts, observed} = start(t, 0);
	const {promise, resolve} = Promise.withResolvers<string>();
	const abandoned = new Promise<string>(take => {
		void run('read', async () => promise, {abandon: take}).then(() => {
			resolve('late');
		});
	});
	t.is(runner.status().runningCount, 1);
	t.true(runner.status().oldestRunningMs >= 0);
	t.is(await abandoned, 'late');
	await Promise.resolve();
	t.deepEqual(counts(), {'fuse_operations_total operation=read result=failed': 1});
	t.is(observed.length, 1);
	t.deepEqual(runner.status(), {runningCount: 0, oldestRunningMs: 0});
});

test('a request to S3 counts by its answer, and apart when it is a retry, throttled or denied', t => {
	const sink = createSink();
	const metrics = new S3Metrics(sink);
	const request = {
		operation: 'GetObject',
		durationMs: 250,
		attempt: 1,
		sentBytes: 0,
		receivedBytes: 0,
		isThrottled: false,
	};
	metrics.note({...request, status: 206, receivedBytes: 100});
	metrics.note({...request, status: 503});
	metrics.note({...request, status: 400, isThrottled: true, attempt: 2});
	metrics.note({...request, status: 403, attempt: 3});
	metrics.note({...request, status: 0, attempt: 4});
	metrics.note({...request, operation: 'PutObject', status: 200, sentBytes: 7});
	t.deepEqual(sink.counts(), {
		s3_sent_bytes_total: 7,
		s3_received_bytes_total: 100,
		's3_retries_total operation=GetObject': 3,
		's3_throttled_total operation=GetObject': 2,
		's3_denied_total operation=GetObject': 1,
		's3_requests_total operation=GetObject status=2xx': 1,
		's3_requests_total operation=GetObject status=5xx': 1,
		's3_requests_total operation=GetObject status=none': 1,
		's3_requests_total operation=GetObject status=4xx': 2,
		's3_requests_total operation=PutObject status=2xx': 1,
	});
	t.deepEqual(sink.observed[0], {id: 's3_request_duration_seconds operation=GetObject', value: 0.25});
});

test('counting an operation costs next to nothing', t => {
	const operations = new OperationMetrics(new Metrics());
	const count = 500_000;
	const names = ['read', 'write', 'getattr'] as const;
	const before = process.cpuUsage();
	for (let index = 0; index < count; index++) {
		operations.note(names[index % names.length]!, 'ok', (index % 50) / 10); // Within the names.
	}

	const {user, system} = process.cpuUsage(before);
	const nanoseconds = ((user + system) * 1000) / count;
	t.log(`${Math.round(nanoseconds)} ns an operation, of 50,000 ns and more that it takes in all`);
	t.true(nanoseconds < 1000, `Two per cent of an operation would be 1000 ns: ${nanoseconds}`);
});
