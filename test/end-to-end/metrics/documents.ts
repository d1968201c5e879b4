/** The documentation, the alerts and the dashboard speak of the metrics that there are. */
import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {parse, parseAllDocuments, stringify} from 'yaml';
import {metricTable} from '../../../src/observability/metric-table.ts';
import {createTestDirectory} from '../../support/dev-server.ts';
import {findWrongNames, hasOurMetric} from './support/promql.ts';
import {testThatNeeds} from '../../support/needs.ts';
import {promtool, promtoolPath} from './support/promtool.ts';

const {test: testPromtool} = testThatNeeds(promtool);

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8');

const documentation = read('docs/METRICS.md');

type Rule = {
	alert: string;
	expr: string;
	for?: string;
	labels: Record<string, string>;
	annotations: Record<string, string>;
};
const rules = (
	parse(read('daemonset/monitoring/prometheus-rule.yaml')) as {spec: {groups: Array<{name: string; rules: Rule[]}>}}
).spec;

type Target = {refId: string; expr: string; datasource: {uid: string}};
type Panel = {
	id: number;
	type: string;
	title: string;
	description?: string;
	gridPos: {x: number; y: number; w: number; h: number};
	fieldConfig?: {defaults: {unit?: string}};
	targets?: Target[];
	datasource?: {uid: string};
};
type Variable = {name: string; type: string; definition?: string};
const dashboard = JSON.parse(read('daemonset/monitoring/grafana-dashboard.json')) as {
	uid: string;
	title: string;
	schemaVersion: number;
	id: null;
	panels: Panel[];
	templating: {list: Variable[]};
};
const graphs = dashboard.panels.filter(({type}) => type !== 'row');

const unitOf = (name: string): string => /_(bytes|seconds)(?:_total)?$/.exec(name)?.[1] ?? '';

test('docs/METRICS.md has every metric of the table, as the table has it, and says what to do', t => {
	const rows = documentation
		.split('\n')
		.filter(line => line.startsWith('| `pnx_volume_'))
		.map(line =>
			line
				.split('|')
				.slice(1, -1)
				.map(cell => cell.trim()),
		);
	t.deepEqual(rows.map(([name = '']) => name.slice(1, -1)).sort(), Object.keys(metricTable).sort());
	for (const [name = '', kind, labels, unit, meaning, advice = ''] of rows) {
		const definition = metricTable[name.slice(1, -1)]!; // Compared above.
		t.deepEqual(
			[kind, labels, unit, meaning],
			[
				definition.kind,
				definition.labels.map(label => `\`${label}\``).join(', '),
				unitOf(name.slice(1, -1)),
				definition.help,
			],
			name,
		);
		t.true(advice.length > 10, `${name}: what to do`);
	}
});

test('the PromQL of docs/METRICS.md uses names that there are', t => {
	const blocks = [...documentation.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, block = '']) =>
		block.replaceAll(/^#.*$/gm, ''),
	);
	t.true(blocks.join('').split('\n\n').length >= 5);
	t.deepEqual(
		blocks.flatMap(block => findWrongNames(block)),
		[],
	);
	t.deepEqual(
		findWrongNames(
			'rate(pnx_volume_nothing_total[5m]) + pnx_volume_dirty_bytes{state="x"} + pnx_volume_s3_request_duration_seconds',
		),
		[
			'there is no pnx_volume_nothing_total',
			'pnx_volume_dirty_bytes has no label state',
			'there is no pnx_volume_s3_request_duration_seconds',
		],
		'The check can fail',
	);
});

test('every alert uses metrics that there are, and has a severity, words for people, and a chapter that says what to do', t => {
	const alerts = rules.groups.flatMap(group => group.rules);
	t.is(new Set(alerts.map(({alert}) => alert)).size, alerts.length);
	for (const {alert, expr, labels, annotations} of alerts) {
		t.regex(alert, /^PnxVolume[A-Z]\w+$/);
		t.true(hasOurMetric(expr), alert);
		t.deepEqual(findWrongNames(expr), [], alert);
		t.regex(labels['severity'] ?? '', /^(?:critical|warning)$/, alert);
		t.true((annotations['summary'] ?? '').length > 10 && (annotations['description'] ?? '').length > 20, alert);
	}

	const chapters = [...documentation.matchAll(/^### (PnxVolume\w+)$/gm)].map(([, name]) => name);
	t.deepEqual(
		chapters,
		alerts.map(({alert}) => alert),
	);
	for (const [subject, expression] of [
		['dead', /state="dead"/],
		['hanging', /state="hanging"/],
		['backlog', /upload_oldest_age/],
		['conflicts', /conflicts_total/],
		['S3', /5xx\|none/],
		['cache', /evictions/],
		['agent', /report_age/],
	] as const) {
		t.true(
			alerts.some(({expr}) => expression.test(expr)),
			`There is an alert for: ${subject}`,
		);
	}
});

test('the dashboard has a unit, a description and a place of its own for every panel', t => {
	t.true(dashboard.schemaVersion >= 39);
	t.is(dashboard.id, null, 'Grafana gives the number');
	t.is(new Set(dashboard.panels.map(({id}) => id)).size, dashboard.panels.length);
	t.deepEqual(
		dashboard.panels.filter(({type}) => type === 'row').map(({title}) => title),
		['Health', 'Throughput', 'Latency', 'S3', 'Cache', 'Uploads', 'Memory and CPU'],
	);
	for (const {title, description = '', fieldConfig, datasource, targets = []} of graphs) {
		t.true(description.length > 15, title);
		t.truthy(fieldConfig?.defaults.unit, title);
		t.is(datasource?.uid, '${datasource}', title);
		t.true(targets.length > 0, title);
		t.is(new Set(targets.map(({refId}) => refId)).size, targets.length, title);
	}

	const cells = new Set<string>();
	for (const {
		title,
		gridPos: {x, y, w, h},
	} of dashboard.panels) {
		t.true(x + w <= 24, title);
		for (let cell = 0; cell < w * h; cell++) {
			const place = `${x + (cell % w)} ${y + Math.floor(cell / w)}`;
			t.false(cells.has(place), `${title} lies on another panel`);
			cells.add(place);
		}
	}
});

test('every expression of the dashboard uses metrics that there are, and the variables for nodes and volumes', t => {
	t.deepEqual(
		dashboard.templating.list.map(({name}) => name),
		['datasource', 'node', 'namespace', 'volume'],
	);
	const variables = new Set(['node', 'namespace', 'volume', '__rate_interval']);
	const expressions = [
		...graphs.flatMap(({title, targets = []}) => targets.map(({expr}) => ({title, expr}))),
		...dashboard.templating.list.flatMap(({name, definition}) =>
			definition === undefined ? [] : [{title: name, expr: definition}],
		),
	];
	for (const {title, expr} of expressions) {
		t.true(hasOurMetric(expr), title);
		t.deepEqual(findWrongNames(expr), [], title);
		t.deepEqual(
			[...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name).filter(name => !variables.has(name)),
			[],
			title,
		);
	}

	t.deepEqual(
		graphs
			.filter(({targets = []}) => targets.some(({expr}) => !expr.includes('node=~"$node"')))
			.map(({title}) => title),
		[],
	);
	const heatmaps = graphs.filter(({type}) => type === 'heatmap');
	t.true(
		heatmaps.length > 0 && heatmaps.every(({targets = []}) => targets.every(({expr}) => expr.includes('_bucket'))),
	);
});

test('the scrape of the manifests finds the port and the labels of the agent', t => {
	const monitor = parse(read('daemonset/monitoring/pod-monitor.yaml')) as {
		spec: {
			selector: {matchLabels: Record<string, string>};
			jobLabel: string;
			podMetricsEndpoints: Array<{port: string; path: string; honorLabels: boolean}>;
		};
	};
	const daemonSet = parseAllDocuments(read('daemonset/base/daemonset.yaml'))
		.map(
			document =>
				document.toJS() as {
					kind: string;
					spec: {
						template: {
							metadata: {labels: Record<string, string>};
							spec: {containers: Array<{ports?: Array<{name: string}>}>};
						};
					};
				},
		)
		.find(({kind}) => kind === 'DaemonSet')!; // The file is named after it.
	const {
		metadata: {labels},
		spec,
	} = daemonSet.spec.template;
	t.like(labels, monitor.spec.selector.matchLabels);
	t.is(labels[monitor.spec.jobLabel], 'pnx-volume', 'The alerts ask for this job');
	const [endpoint] = monitor.spec.podMetricsEndpoints;
	t.true(spec.containers.some(({ports = []}) => ports.some(({name}) => name === endpoint?.port)));
	t.like(endpoint, {path: '/metrics', honorLabels: true});
});

testPromtool('promtool reads the alerts and the expressions of the dashboard', async t => {
	const directory = await createTestDirectory(t);
	const expressions = graphs.flatMap(({targets = []}) =>
		targets.map(({expr}) => expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(?:node|namespace|volume)/g, '.*')),
	);
	await writeFile(join(directory, 'alerts.yaml'), stringify(rules));
	await writeFile(
		join(directory, 'dashboard.yaml'),
		stringify({
			groups: [{name: 'dashboard', rules: expressions.map((expr, index) => ({record: `panel:${index}`, expr}))}],
		}),
	);
	const {stdout} = await promisify(execFile)(promtoolPath, [
		'check',
		'rules',
		join(directory, 'alerts.yaml'),
		join(directory, 'dashboard.yaml'),
	]);
	t.regex(stdout, /SUCCESS/);
	t.notRegex(stdout, /FAILED/);
});
