/** What a real daemon says that it did, against what was done with it. */
import {execFile} from 'node:child_process';
import * as fs from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {MetricsPage} from '../../../src/agent/metrics/metrics-page.ts';
import type {MetricLabels, MetricSamples} from '../../../src/model/metric-samples.ts';
import {askMetrics} from '../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../src/node/deadline.ts';
import {daemonMetricTable} from '../../../src/observability/metric-table.ts';
import {createVolumeDirectory, startTestDaemon, type TestDaemon} from '../support/daemon.ts';
import {spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {parsePrometheusText} from './support/prometheus-text.ts';
import {fuse, testThatNeeds} from '../../support/needs.ts';

const {serial: testOnMount} = testThatNeeds(fuse);

const start = async (
	t: ExecutionContext,
	options: Record<string, string> = {},
): Promise<{
	server: SpawnedDevServer;
	volumeDirectory: string;
	daemon: TestDaemon;
	restart: () => Promise<TestDaemon>;
}> => {
	const server = await spawnTestDevServer(t);
	const volumeDirectory = await createVolumeDirectory(t);
	const request = {
		options: {name: server.bucket, endpoint: server.endpoint, 'path-style': 'true', ...options},
		credentials: server.credentials,
		volumeDirectory,
	};
	return {
		server,
		volumeDirectory,
		daemon: await startTestDaemon(t, request),
		restart: async () => startTestDaemon(t, request),
	};
};

const ask = async (t: ExecutionContext, {socketPath}: TestDaemon): Promise<MetricSamples> => {
	const samples = await askMetrics(socketPath, createDeadline(300_000));
	t.truthy(samples, 'The daemon answers');
	return samples!; // Looked at above.
};

const valueOf = ({counters, gauges}: MetricSamples, name: string, labels: MetricLabels = {}): number => {
	const found = [...counters, ...gauges].filter(
		sample =>
			sample.name === `pnx_volume_${name}` &&
			Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
	);
	return found.reduce((total, {value}) => total + value, 0);
};

const countOf = ({histograms}: MetricSamples, name: string, labels: MetricLabels): number | undefined =>
	histograms
		.find(
			sample =>
				sample.name === `pnx_volume_${name}` &&
				Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
		)
		?.bucketCounts.reduce((total, count) => total + count);

testOnMount('operations, bytes and S3 requests are counted exactly', async t => {
	const {server, daemon} = await start(t);
	const before = await ask(t, daemon);
	await server.clearRequests();
	for (const name of ['a', 'b', 'c']) {
		await fs.writeFile(join(daemon.mountPoint, name), 'x'.repeat(1000));
	}

	await fs.mkdir(join(daemon.mountPoint, 'directory'));
	await t.throwsAsync(fs.stat(join(daemon.mountPoint, 'absent')), {code: 'ENOENT'});
	await fs.unlink(join(daemon.mountPoint, 'c'));
	const after = await ask(t, daemon);
	const grown = (name: string, labels: MetricLabels = {}): number =>
		valueOf(after, name, labels) - valueOf(before, name, labels);

	t.is(grown('fuse_operations_total', {operation: 'create', result: 'ok'}), 3);
	t.is(grown('fuse_operations_total', {operation: 'mkdir', result: 'ok'}), 1);
	t.is(grown('fuse_operations_total', {operation: 'unlink', result: 'ok'}), 1);
	t.true(
		grown('fuse_operations_total', {operation: 'getattr', result: 'refused'}) >= 1,
		'ENOENT is an ordinary answer',
	);
	t.is(grown('fuse_operations_total', {result: 'failed'}), 0);
	t.is(grown('written_bytes_total'), 3000);
	t.is(grown('uploads_total', {result: 'stored'}), 3);
	t.is(countOf(after, 'fuse_operation_duration_seconds', {operation: 'create'}), 3);

	for (const operation of ['PutObject', 'HeadObject', 'ListObjectsV2', 'DeleteObject', 'GetObject']) {
		t.is(grown('s3_requests_total', {operation}), await server.countRequests({operation}), operation);
	}

	t.is(
		grown('s3_requests_total', {operation: 'PutObject', status: '2xx'}),
		4,
		'Three files and the marker of the directory',
	);
	t.is(grown('s3_sent_bytes_total'), 3000);
	t.is(valueOf(after, 's3_retries_total'), 0);
	t.is(valueOf(after, 'dirty_bytes'), 0);
	t.is(valueOf(after, 'uploads_pending'), 0);
	t.is(valueOf(after, 'upload_oldest_age_seconds'), 0);
	t.is(valueOf(after, 'fuse_operations_running'), 0);
	t.true(valueOf(after, 'daemon_resident_bytes') > 2e7);
	t.true(valueOf(after, 'daemon_cpu_seconds_total') > 0.05);
	t.true(Math.abs(valueOf(after, 'daemon_start_time_seconds') - Date.now() / 1000) < 60);
	t.true(countOf(after, 'daemon_event_loop_delay_seconds', {})! >= 0); // One is there from the start.
});

testOnMount('a daemon says nothing that is not in its table, and says all of it', async t => {
	const {daemon} = await start(t);
	await fs.writeFile(join(daemon.mountPoint, 'file'), 'x');
	const {counters, gauges, histograms} = await ask(t, daemon);
	const said = new Set([...counters, ...gauges, ...histograms].map(({name}) => name));
	t.deepEqual([...said].sort(), Object.keys(daemonMetricTable).sort());
	const ids = [...counters, ...gauges, ...histograms].map(({name, labels}) =>
		JSON.stringify([name, Object.entries(labels).sort()]),
	);
	t.is(new Set(ids).size, ids.length, 'Each once');

	const volume = {
		volumeId: 'v1',
		bucket: 'test',
		prefix: '',
		directories: [],
		health: 'healthy',
		journalBytes: 0,
		restartCount: 0,
		metrics: {counters, gauges, histograms},
	} as const;
	const {body} = await new MetricsPage().render({
		version: '0',
		nodeName: 'n',
		startedAtMs: 0,
		report: {atMs: 0, version: '0', volumes: [volume]},
		notices: [],
		problems: [],
	});
	const page = parsePrometheusText(body);
	t.deepEqual(
		Object.keys(daemonMetricTable).filter(name => !page.has(name)),
		[],
		'The page has all of it too',
	);
	t.is(page.get('pnx_volume_written_bytes_total')?.samples[0]?.value, 1);
});

testOnMount(
	'blocks count as misses when they come from S3, then as hits in memory, and as hits on disk after a restart',
	async t => {
		const {server, daemon, restart} = await start(t, {'cache-size': '64Mi', consistency: 'ttl'});
		const bytes = 3 * 2 ** 20;
		await fs.writeFile(join(daemon.mountPoint, 'large'), Buffer.alloc(bytes, 'x'));
		t.is(await daemon.stop(), 0);

		const second = await restart();
		const file = join(second.mountPoint, 'large');
		await fs.readFile(file);
		const cold = await ask(t, second);
		t.is(valueOf(cold, 'cache_misses_total'), 3);
		t.is(valueOf(cold, 'cache_fetched_blocks_total'), 3);
		t.is(valueOf(cold, 'cache_hits_total', {tier: 'disk'}), 0);
		t.true(valueOf(cold, 'read_bytes_total') >= bytes);
		t.true(valueOf(cold, 'read_bytes_total') < bytes + 2 ** 17, 'The kernel may drop a page before it is copied');
		t.true(valueOf(cold, 's3_received_bytes_total') >= bytes);
		t.true(valueOf(cold, 's3_received_bytes_total') < bytes + 20_000, 'The length that a HEAD announces does not come');
		t.true(valueOf(cold, 'cache_bytes', {tier: 'memory'}) >= bytes);
		t.is(await second.stop(), 0);

		await server.clearRequests();
		const third = await restart();
		await fs.readFile(join(third.mountPoint, 'large'));
		const warm = await ask(t, third);
		t.is(valueOf(warm, 'cache_hits_total', {tier: 'disk'}), 3);
		t.is(valueOf(warm, 'cache_misses_total'), 0);
		t.is(await server.countRequests({operation: 'GetObject'}), 0);
	},
);

testOnMount('throttling, refusals and broken answers of S3 show as such', async t => {
	const {server, daemon} = await start(t, {timeout: '5s'});
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'SlowDown', count: 2}]});
	await fs.writeFile(join(daemon.mountPoint, 'throttled'), 'x');
	const throttled = await ask(t, daemon);
	t.is(valueOf(throttled, 's3_throttled_total', {operation: 'PutObject'}), 2);
	t.is(valueOf(throttled, 's3_retries_total', {operation: 'PutObject'}), 2);
	t.is(valueOf(throttled, 's3_requests_total', {operation: 'PutObject', status: '5xx'}), 2);
	t.is(valueOf(throttled, 's3_requests_total', {operation: 'PutObject', status: '2xx'}), 1);

	await server.setFaults({drops: [{operation: 'PutObject', when: 'before', count: 1}]});
	await fs.writeFile(join(daemon.mountPoint, 'dropped'), 'x');
	t.is(valueOf(await ask(t, daemon), 's3_requests_total', {operation: 'PutObject', status: 'none'}), 1);

	await server.setFaults({errors: [{operation: 'PutObject', status: 403, code: 'AccessDenied'}]});
	const file = await fs.open(join(daemon.mountPoint, 'denied'), 'w');
	await file.write('x');
	await t.throwsAsync(file.sync(), {code: 'EACCES'});
	const denied = await ask(t, daemon);
	t.is(valueOf(denied, 's3_denied_total', {operation: 'PutObject'}), 1);
	t.is(valueOf(denied, 'uploads_total', {result: 'refused'}), 1);
	t.is(valueOf(denied, 'fuse_operations_total', {operation: 'fsync', result: 'failed'}), 1);
	t.is(valueOf(denied, 'open_handles'), 1);
	await t.throwsAsync(file.close(), {code: 'EACCES'});
});

testOnMount('an upload that waits has an age, which goes on after the daemon was killed', async t => {
	const {server, daemon, restart} = await start(t, {durability: 'journal', timeout: '5s'});
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'SlowDown'}]});
	await fs.writeFile(join(daemon.mountPoint, 'waiting'), 'x'.repeat(5000));
	const waiting = await ask(t, daemon);
	t.is(valueOf(waiting, 'uploads_pending'), 1);
	t.is(valueOf(waiting, 'dirty_bytes'), 5000);
	const age = valueOf(waiting, 'upload_oldest_age_seconds');
	t.true(age > 0 && age < 30, String(age));

	process.kill(daemon.pid, 'SIGKILL');
	await daemon.exited;
	const second = await unmountAndRestart(daemon, restart);
	const recovered = await ask(t, second);
	t.is(valueOf(recovered, 'dirty_bytes'), 5000);
	t.true(
		valueOf(recovered, 'upload_oldest_age_seconds') > age,
		'It counts from when the file was closed, not from the restart',
	);

	await server.setFaults({});
	t.is(await second.stop(), 0);
});

const unmountAndRestart = async ({mountPoint}: TestDaemon, restart: () => Promise<TestDaemon>): Promise<TestDaemon> => {
	await promisify(execFile)('umount', ['-l', mountPoint]);
	return restart();
};
