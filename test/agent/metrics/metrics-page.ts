/** The page that Prometheus gets from the agent. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import test from 'ava';
import {MetricsPage} from '../../../src/agent/metrics/metrics-page.ts';
import type {AgentSnapshot} from '../../../src/agent/agent-snapshot.ts';
import {S3Metrics} from '../../../src/daemon/s3-metrics.ts';
import {OperationMetrics} from '../../../src/fuse/operation-metrics.ts';
import type {MetricSamples} from '../../../src/model/metric-samples.ts';
import type {Notice, WatchedVolume} from '../../../src/healing/watch-message.ts';
import {agentMetricTable, daemonMetricTable, metricTable} from '../../../src/observability/metric-table.ts';
import {Metrics} from '../../../src/observability/metrics.ts';
import {parsePrometheusText, type ParsedMetric} from '../../end-to-end/metrics/support/prometheus-text.ts';
import {testThatNeeds} from '../../support/needs.ts';
import {promtool, promtoolPath} from '../../end-to-end/metrics/support/promtool.ts';

const {test: testPromtool} = testThatNeeds(promtool);

const nowMs = 1_800_000_000_000;

/** What a busy daemon counted. */
const createSamples = (): MetricSamples => {
	const metrics = new Metrics();
	const operations = new OperationMetrics(metrics);
	for (const [index, operation] of [
		'getattr',
		'open',
		'read',
		'write',
		'flush',
		'release',
		'create',
		'opendir',
		'readdir',
		'releasedir',
		'getxattr',
		'mkdir',
		'unlink',
		'rename',
	].entries()) {
		operations.note(operation, 'ok', index * 3);
		operations.note(operation, 'refused', 0.05);
		operations.note(operation, 'failed', 60_000);
	}

	const requests = new S3Metrics(metrics);
	for (const operation of [
		'GetObject',
		'HeadObject',
		'ListObjectsV2',
		'PutObject',
		'DeleteObject',
		'CopyObject',
		'UploadPart',
	]) {
		for (const status of [200, 404, 503, 0]) {
			requests.note({
				operation,
				status,
				durationMs: 12.5,
				attempt: 2,
				sentBytes: 10,
				receivedBytes: 20,
				isThrottled: false,
			});
		}
	}

	metrics.addReader(add => add('pnx_volume_dirty_bytes', 4096));
	return metrics.samples();
};

const createVolume = (volume: Partial<WatchedVolume> = {}): WatchedVolume => ({
	volumeId: 'v1',
	bucket: 'files',
	prefix: '',
	directories: [],
	health: 'healthy',
	journalBytes: 0,
	restartCount: 0,
	...volume,
});

const createSnapshot = (volumes: readonly WatchedVolume[], snapshot: Partial<AgentSnapshot> = {}): AgentSnapshot => ({
	version: '0.1.0',
	nodeName: 'node-1',
	startedAtMs: 0,
	report: {atMs: nowMs - 2500, version: '0.1.0', volumes},
	notices: [],
	problems: [],
	...snapshot,
});

const render = async (
	snapshot: AgentSnapshot,
	page = new MetricsPage({now: () => nowMs}),
): Promise<Map<string, ParsedMetric>> => parsePrometheusText((await page.render(snapshot)).body);

const samplesOf = (metrics: Map<string, ParsedMetric>, name: string): ParsedMetric['samples'] =>
	metrics.get(`pnx_volume_${name}`)?.samples ?? [];

test('the page is in the text format, with help and type for every metric and cumulative buckets', async t => {
	const page = new MetricsPage();
	const {contentType, body} = await page.render(
		createSnapshot([
			createVolume({metrics: createSamples()}),
			createVolume({volumeId: 'v2', prefix: 'team/a', metrics: createSamples()}),
		]),
	);
	t.is(contentType, 'text/plain; version=0.0.4; charset=utf-8');
	const metrics = parsePrometheusText(body);
	for (const [name, {type, help, samples}] of metrics) {
		const definition = metricTable[name];
		if (definition === undefined) {
			t.true(name.startsWith('pnx_volume_agent_'), name);
			continue;
		}

		t.deepEqual({kind: type, help}, {kind: definition.kind, help: definition.help}, name);
		const names = [...(definition.scope === 'volume' ? ['volume', 'bucket', 'prefix'] : []), ...definition.labels];
		for (const {labels} of samples) {
			t.deepEqual(
				Object.keys(labels).filter(label => label !== 'le'),
				names,
				name,
			);
		}
	}

	t.true(metrics.has('pnx_volume_agent_process_cpu_seconds_total'), 'What the agent itself costs');
	const buckets = samplesOf(metrics, 's3_request_duration_seconds').filter(
		({name, labels}) => name.endsWith('_bucket') && labels['volume'] === 'v2' && labels['operation'] === 'GetObject',
	);
	t.deepEqual(
		buckets.map(({labels, value}) => `${labels['le']} ${value}`),
		['0.005 0', '0.01 0', '0.025 4', '0.05 4', '0.1 4', '0.25 4', '0.5 4', '1 4', '5 4', '30 4', '+Inf 4'],
	);
});

test('odd names of buckets, prefixes and pods arrive as they are', async t => {
	const odd = 'a"b\\c\nd\r\t{}=,# é ☃ \\n';
	const metrics = await render(
		createSnapshot(
			[
				createVolume({
					bucket: odd,
					prefix: odd,
					metrics: createSamples(),
					directories: [{path: '/x', isMounted: true, namespace: odd, name: odd, volumeName: odd}],
				}),
			],
			{nodeName: odd},
		),
	);
	t.like(samplesOf(metrics, 'dirty_bytes')[0], {labels: {volume: 'v1', bucket: odd, prefix: odd}, value: 4096});
	t.deepEqual(samplesOf(metrics, 'pod_info')[0]?.labels, {
		volume: 'v1',
		bucket: odd,
		prefix: odd,
		namespace: odd,
		pod: odd,
		volume_name: odd,
	});
	t.like(samplesOf(metrics, 'build_info')[0], {labels: {version: '0.1.0', node: odd}});
});

test('a volume shows its health, its pods, its daemon, and what was left on the node', async t => {
	const pod = {path: '/p1', isMounted: true, namespace: 'shop', name: 'web-0', volumeName: 'data'};
	const metrics = await render(
		createSnapshot([
			createVolume({
				health: 'dead',
				restartCount: 3,
				nextAttemptAtMs: nowMs + 30_000,
				journalBytes: 7,
				refused: {directory: '/f', bytes: 9},
				// The same pod twice: a directory of an earlier mount is still there.
				directories: [pod, {...pod, path: '/p2', isMounted: false}, {path: '/by-hand', isMounted: true}],
			}),
		]),
	);
	const valuesOf = (name: string, label: string): Record<string, number> =>
		Object.fromEntries(
			samplesOf(metrics, name).map(({labels, value}): [string, number] => [labels[label] ?? '', value]),
		);
	t.deepEqual(valuesOf('health', 'state'), {
		healthy: 0,
		failing: 0,
		changing: 0,
		hanging: 0,
		dead: 1,
		unmounted: 0,
		gone: 0,
	});
	t.deepEqual(valuesOf('directories', 'mounted'), {true: 2, false: 1});
	t.is(samplesOf(metrics, 'pod_info').length, 1);
	t.is(samplesOf(metrics, 'daemon_restarts_total')[0]?.value, 3);
	t.is(samplesOf(metrics, 'daemon_restart_wait_seconds')[0]?.value, 30);
	t.is(samplesOf(metrics, 'journal_bytes')[0]?.value, 7);
	t.is(samplesOf(metrics, 'refused_bytes')[0]?.value, 9);
	t.is(samplesOf(metrics, 'watch_report_age_seconds')[0]?.value, 2.5);
	t.deepEqual(samplesOf(metrics, 'daemon_info'), [], 'No daemon serves it');

	const served = await render(
		createSnapshot([
			createVolume({daemonPid: 5, launch: {way: 'systemd', home: '/opt/pnx-volume/0.1.0', version: '0.1.0'}}),
		]),
	);
	t.like(samplesOf(served, 'daemon_info')[0], {labels: {version: '0.1.0', launch: 'systemd'}, value: 1});
});

test('what a daemon of another version says neither spoils the page nor is taken for something else', async t => {
	const metrics = await render(
		createSnapshot([
			createVolume({
				metrics: {
					counters: [
						{name: 'pnx_volume_of_the_future_total', labels: {}, value: 1},
						{name: 'pnx_volume_read_bytes_total', labels: {volume: 'another', shard: '1'}, value: 5},
					],
					gauges: [{name: 'pnx_volume_dirty_bytes', labels: {'no name': 'x'}, value: 1}],
					histograms: [
						{
							name: 'pnx_volume_s3_request_duration_seconds',
							labels: {operation: 'GetObject'},
							bounds: [1, 2],
							bucketCounts: [1, 0, 2],
							sum: 9,
						},
					],
				},
			}),
		]),
	);
	t.false(metrics.has('pnx_volume_of_the_future_total'));
	t.like(samplesOf(metrics, 'read_bytes_total')[0], {labels: {volume: 'v1', shard: '1'}, value: 5});
	t.deepEqual(samplesOf(metrics, 'dirty_bytes'), []);
	t.deepEqual(
		samplesOf(metrics, 's3_request_duration_seconds').map(({labels, value}) => `${labels['le'] ?? '-'} ${value}`),
		['1 1', '2 1', '+Inf 3', '- 9', '- 3'],
	);
});

test('notices are counted once each, also when they leave the snapshot', async t => {
	const page = new MetricsPage({now: () => nowMs});
	const notices = ['VolumeDaemonDied', 'VolumeHealed', 'VolumeDaemonDied'].map(
		(reason): Notice => ({
			atMs: 1,
			type: reason === 'VolumeHealed' ? 'Normal' : 'Warning',
			reason,
			message: 'm',
			volumeId: 'v1',
			bucket: 'b',
			pods: [],
		}),
	);
	const counts = async (shown: readonly Notice[]): Promise<string[]> =>
		samplesOf(await render(createSnapshot([], {notices: shown}), page), 'notices_total').map(
			({labels, value}) => `${labels['type']} ${labels['reason']} ${value}`,
		);
	t.deepEqual(await counts(notices.slice(0, 2)), ['Warning VolumeDaemonDied 1', 'Normal VolumeHealed 1']);
	t.deepEqual(await counts(notices), ['Warning VolumeDaemonDied 2', 'Normal VolumeHealed 1']);
	t.deepEqual(await counts([]), ['Warning VolumeDaemonDied 2', 'Normal VolumeHealed 1']);
});

test('before the first report there is a page without volumes', async t => {
	const metrics = await render({
		version: '0.1.0',
		nodeName: '',
		startedAtMs: 0,
		notices: [],
		problems: ['The plugin directory is read-only'],
	});
	t.is(samplesOf(metrics, 'agent_problems')[0]?.value, 1);
	t.deepEqual(samplesOf(metrics, 'watch_report_age_seconds'), []);
	t.deepEqual(samplesOf(metrics, 'health'), []);
});

test('every metric of the table can come onto the page', async t => {
	const everything = new Metrics();
	for (const [name, {kind, labels}] of Object.entries(daemonMetricTable)) {
		const values = Object.fromEntries(labels.map(label => [label, 'x']));
		if (kind === 'gauge') {
			everything.addReader(add => add(name as keyof typeof daemonMetricTable, 1, values));
		} else if (kind === 'histogram') {
			everything.histogram(name, values).observe(1);
		} else {
			everything.counter(name, values).value++;
		}
	}

	const notice: Notice = {
		atMs: 1,
		type: 'Normal',
		reason: 'VolumeHealed',
		message: 'm',
		volumeId: 'v1',
		bucket: 'b',
		pods: [],
	};
	const metrics = await render(
		createSnapshot(
			[
				createVolume({
					metrics: everything.samples(),
					daemonPid: 1,
					directories: [{path: '/', isMounted: true, name: 'p'}],
				}),
			],
			{notices: [notice]},
		),
	);
	t.deepEqual(
		[...metrics.keys()].filter(name => metricTable[name] !== undefined).sort(),
		[...Object.keys(daemonMetricTable), ...Object.keys(agentMetricTable)].sort(),
	);
});

testPromtool('promtool finds nothing wrong with the page', async t => {
	const {body} = await new MetricsPage().render(
		createSnapshot([
			createVolume({bucket: 'a"b', metrics: createSamples(), directories: [{path: '/x', isMounted: true, name: 'p'}]}),
		]),
	);
	const checking = promisify(execFile)(promtoolPath, ['check', 'metrics']);
	// It may end before it has read everything: then its exit status says so.
	checking.child.stdin?.on('error', () => undefined).end(body);
	try {
		const {stdout, stderr} = await checking;
		t.is(stdout + stderr, '');
	} catch (error) {
		const complaints = `${(error as {stdout?: string}).stdout}${(error as {stderr?: string}).stderr}`
			.split('\n')
			.filter(line => line !== '' && !line.startsWith('pnx_volume_agent_'));
		t.deepEqual(complaints, [], 'Of what prom-client says about the agent process we are not the author');
	}
});
