import {rowName, type Row} from '../results.ts';
import {formatMegabytes, formatValue} from './format-value.ts';
import {compare, isHigherBetter, type Ratio} from './ratio.ts';
import type {Report} from './report.ts';
import {summarize} from './statistics.ts';

/** The report for people. `headingLevel` is that of its parts. */
export const formatMarkdown = (report: Report, {headingLevel}: {headingLevel: number}): string => {
	const heading = (text: string): string => `${'#'.repeat(headingLevel)} ${text}`;
	const latencies = [...new Set(report.rows.map(({latencyMs}) => latencyMs))];
	return [
		describeRun(report),
		...latencies.flatMap(latencyMs => {
			const rows = report.rows.filter(row => row.latencyMs === latencyMs);
			return [
				heading(`Speed, ${formatLatency(latencyMs)}`),
				speedTable(rows, report),
				describeCeilings(rows, report),
				heading(`Cost, ${formatLatency(latencyMs)}`),
				costTable(rows, report),
			];
		}),
		...(report.mounts.length === 0 ? [] : [heading('Calls of the driver'), mountTable(report)]),
		heading('Where a peer is ahead'),
		describeLosses(report),
		...(report.notes.length === 0 ? [] : [heading('Notes'), report.notes.map(note => `- ${note}`).join('\n')]),
	]
		.filter(part => part !== '')
		.join('\n\n');
};

export const formatLatency = (latencyMs: number | undefined): string =>
	latencyMs === undefined ? 'the latency of the network' : `${latencyMs} ms`;

const describeRun = ({startedAt, minutes, machine, load, server, commandLine, rounds, subjects}: Report): string =>
	[
		`\`${commandLine}\`, ${startedAt}, ${Math.round(minutes)} minutes; medians of ${rounds}.`,
		`Machine: ${machine}; load ${load}.`,
		`Server: ${server}.`,
		`Subjects: ${subjects.map(({name, version}) => (version === name ? name : `${name} (${version})`)).join(', ')}.`,
	].join('\n');

const table = (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string =>
	[head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
		.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`)
		.join('\n');

const partOf = (rows: readonly Row[], {subjects}: Report): Report['subjects'] =>
	subjects.filter(({name}) => rows.some(({cells}) => cells.some(cell => cell.subject === name)));

/** Figures, and behind ours how many times better than the best peer they are. */
const speedTable = (rows: readonly Row[], report: Report): string => {
	const {subjects} = report;
	const columns = partOf(rows, report);
	return table(
		['workload', ...columns.map(({name}) => name)],
		rows.map(row => [
			`\`${rowName(row)}\`, ${row.metric.unit}`,
			...columns.map(({name}) => {
				const cell = row.cells.find(each => each.subject === name);
				const summary = cell === undefined ? undefined : summarize(cell);
				const failed = cell?.failed === undefined ? '' : `failed: ${cell.failed}`;
				if (summary === undefined) {
					return failed;
				}

				const ratio = compare(row, name, subjects);
				const figure = `${formatValue(summary.value)}${ratio === undefined ? '' : ` (${formatRatio(ratio)})`}`;
				return failed === '' ? figure : `${figure}; then ${failed}`;
			}),
		]),
	);
};

export const formatRatio = ({ratio, isAtLeast}: Ratio): string => `${isAtLeast ? '>' : ''}${formatValue(ratio)}x`;

const describeCeilings = (rows: readonly Row[], {ceilings, subjects}: Report): string =>
	ceilings
		.filter(({latencyMs}) => latencyMs === rows[0]?.latencyMs)
		.map(({stream, megabytesPerSecond}) => {
			const row = rows.find(
				({metric, stretch}) => metric.stream === stream && (stream === 'read' || stretch === 'uploaded'),
			);
			const shares = subjects.flatMap(({name}) => {
				const cell = row?.cells.find(each => each.subject === name);
				const value = cell === undefined ? undefined : summarize(cell)?.value;
				return value === undefined ? [] : [`${name} ${Math.round((100 * value) / megabytesPerSecond)} %`];
			});
			return `A bare client ${stream}s ${formatValue(megabytesPerSecond)} MB/s${shares.length === 0 ? '' : `; of that: ${shares.join(', ')}`}.`;
		})
		.join('\n');

/** Of what changes files, until S3 has everything. */
const costTable = (rows: readonly Row[], {subjects}: Report): string =>
	table(
		['workload', 'subject', 'CPU, s', 'peak RSS, MiB', 'requests', 'longest chain', 'MB sent', 'MB received', 'rounds'],
		rows
			.filter(({metric, stretch}) => metric.isWrite !== true || stretch === 'uploaded')
			.flatMap(row =>
				subjects.flatMap(({name}) => {
					const cell = row.cells.find(each => each.subject === name);
					const summary = cell === undefined ? undefined : summarize(cell);
					if (summary === undefined) {
						return [];
					}

					const {cpuSeconds, residentMebibytesPeak, requests, chain, sentBytes, receivedBytes, rounds} = summary;
					return [
						[
							`\`${row.metric.name}\``,
							name,
							cpuSeconds.toFixed(2),
							residentMebibytesPeak.toFixed(0),
							...[requests, chain].map(count => count?.toLocaleString('en-US') ?? ''),
							...[sentBytes, receivedBytes].map(bytes => (bytes === undefined ? '' : formatMegabytes(bytes))),
							String(rounds),
						],
					];
				}),
			),
	);

const mountTable = ({mounts}: Report): string =>
	table(
		['call', 'takes', 'limit'],
		mounts.map(({name, unit, value, limit}) => [
			name,
			`${formatValue(value)} ${unit}`,
			`${limit} ${unit}${value > limit ? ', exceeded' : ''}`,
		]),
	);

const describeLosses = ({rows, subjects}: Report): string => {
	const losses = rows.flatMap(row =>
		subjects.flatMap(({name}) => {
			const found = compare(row, name, subjects);
			return found !== undefined && found.ratio < 1
				? [
						`- \`${rowName(row)}\` at ${formatLatency(row.latencyMs)}: ${name} is ${formatRatio(found)} ${found.peer} (${isHigherBetter(row.metric.unit) ? 'rate' : 'time'})`,
					]
				: [];
		}),
	);
	return losses.length === 0 ? 'Nowhere in this run.' : losses.join('\n');
};
