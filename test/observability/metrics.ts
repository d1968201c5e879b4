import test from 'ava';
import {Metrics} from '../../src/observability/metrics.ts';
import {metricTable, volumeLabels} from '../../src/observability/metric-table.ts';

test('a counter and a histogram are looked up once and then counted by themselves', t => {
	const metrics = new Metrics();
	const stored = metrics.counter('pnx_volume_uploads_total', {result: 'stored'});
	stored.value += 2;
	t.is(metrics.counter('pnx_volume_uploads_total', {result: 'stored'}), stored);
	metrics.counter('pnx_volume_uploads_total', {result: 'refused'});
	const duration = metrics.histogram('pnx_volume_fuse_operation_duration_seconds', {operation: 'read'});
	for (const seconds of [0, 0.0002, 0.000_201, 0.003, 29, 31, 1000]) {
		duration.observe(seconds);
	}

	const {counters, gauges, histograms} = metrics.samples();
	t.deepEqual(counters, [
		{name: 'pnx_volume_uploads_total', labels: {result: 'stored'}, value: 2},
		{name: 'pnx_volume_uploads_total', labels: {result: 'refused'}, value: 0},
	]);
	t.deepEqual(gauges, []);
	// A bound belongs to its bucket.
	t.deepEqual(histograms[0]?.bucketCounts, [2, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
	t.is(histograms[0]?.bounds.length, 10);
	t.is(histograms[0]?.sum, 0 + 0.0002 + 0.000_201 + 0.003 + 29 + 31 + 1000);
});

test('samples are a copy: they stay when more is counted', t => {
	const metrics = new Metrics();
	const counter = metrics.counter('pnx_volume_read_bytes_total');
	const histogram = metrics.histogram('pnx_volume_daemon_event_loop_delay_seconds');
	const before = metrics.samples();
	counter.value += 5;
	histogram.observe(1);
	t.is(before.counters[0]?.value, 0);
	t.is(
		before.histograms[0]?.bucketCounts.reduce((total, count) => total + count),
		0,
	);
});

test('readers are asked at every samples(), and say by the table whether it is a counter or a gauge', t => {
	const metrics = new Metrics();
	let dirtyBytes = 1;
	metrics.addReader(add => {
		add('pnx_volume_dirty_bytes', dirtyBytes++);
		add('pnx_volume_conflicts_total', 3);
	});
	t.is(metrics.samples().gauges[0]?.value, 1);
	t.deepEqual(metrics.samples(), {
		counters: [{name: 'pnx_volume_conflicts_total', labels: {}, value: 3}],
		gauges: [{name: 'pnx_volume_dirty_bytes', labels: {}, value: 2}],
		histograms: [],
	});
});

test('a metric that is not in the table is a bug, thrown at once', t => {
	const metrics = new Metrics();
	t.throws(() => metrics.counter('pnx_volume_typo_total'), {message: /has no pnx_volume_typo_total/});
	t.throws(() => metrics.counter('pnx_volume_dirty_bytes'), {
		message: /is a gauge in the table of metrics, not a counter/,
	});
	t.throws(() => metrics.counter('pnx_volume_uploads_total'), {message: /labels of pnx_volume_uploads_total/});
	t.throws(() => metrics.histogram('pnx_volume_s3_request_duration_seconds', {operation: 'GetObject', status: '2xx'}), {
		message: /labels/,
	});
});

test('names, units and labels of the table follow the rules of Prometheus', t => {
	for (const [name, {kind, labels, help, bounds, scope}] of Object.entries(metricTable)) {
		t.regex(name, /^pnx_volume_[a-z\d]+(?:_[a-z\d]+)*$/);
		t.is(kind === 'counter', name.endsWith('_total'), `${name} is a ${kind}`);
		t.is(kind === 'histogram', bounds !== undefined, name);
		t.deepEqual(
			bounds,
			bounds?.toSorted((a, b) => a - b),
			name,
		);
		t.notRegex(name, /_(?:bucket|sum|count|ms|kib|mib|seconds_bytes)(?:_|$)/, name);
		t.notRegex(help, /\.$|\n/, name);
		t.true(help.length > 10, name);
		for (const label of labels) {
			t.regex(label, /^[a-z]+(?:_[a-z]+)*$/, name);
			t.false(
				label === 'le' || (scope === 'volume' && (volumeLabels as readonly string[]).includes(label)),
				`${name} ${label}`,
			);
		}
	}
});
