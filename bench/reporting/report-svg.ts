import {rowName, type Row} from '../results.ts';
import {compare, type Ratio, type ReportedSubject} from './ratio.ts';
import {formatLatency, formatRatio} from './report-markdown.ts';
import type {Report} from './report.ts';

const labelWidth = 230;
const plotWidth = 520;
const margin = 20;
const barHeight = 12;
const barGap = 2;
const groupGap = 8;
const headHeight = 96;
const valueWidth = 110;

/** The scale is logarithmic, so that twice as fast and half as fast have bars of one length. */
const ratioMin = 0.1;
const ratioMax = 100;
const colors = ['#1f77b4', '#2ca02c', '#9467bd'];
const behindColor = '#d62728';

type Bar = {readonly subject: string; readonly color: string; readonly found: Ratio};
type Group = {readonly row: Row; readonly bars: readonly Bar[]};

/** Bars of how many times better than the best peer each subject of ours is, one chart for each latency. */
export const formatSvg = (report: Report): string => {
	const own = report.subjects.filter(({isPeer}) => !isPeer);
	const latencies = [...new Set(report.rows.map(({latencyMs}) => latencyMs))];
	const charts: string[] = [];
	let top = margin;
	for (const latencyMs of latencies) {
		const rows = report.rows.filter(row => row.latencyMs === latencyMs);
		const chart = formatChart(groupsOf(rows, own, report.subjects), {
			title: `Ratio to the best peer, ${formatLatency(latencyMs)}`,
			own,
			top,
		});
		charts.push(chart.svg);
		top += chart.height + margin;
	}

	const width = 2 * margin + labelWidth + plotWidth + valueWidth;
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" font-family="sans-serif" font-size="12">`,
		`<rect width="${width}" height="${top}" fill="#ffffff"/>`,
		...charts,
		'</svg>',
		'',
	].join('\n');
};

const groupsOf = (
	rows: readonly Row[],
	own: readonly ReportedSubject[],
	subjects: readonly ReportedSubject[],
): Group[] =>
	rows
		.map(row => ({
			row,
			bars: own.flatMap(({name}, index): Bar[] => {
				const found = compare(row, name, subjects);
				return found === undefined ? [] : [{subject: name, color: colors[index % colors.length]!, found}];
			}),
		}))
		.filter(({bars}) => bars.length > 0);

const formatChart = (
	groups: readonly Group[],
	{title, own, top}: {title: string; own: readonly ReportedSubject[]; top: number},
): {svg: string; height: number} => {
	const left = margin + labelWidth;
	const lines: string[] = [text(margin, top + 18, title, 'font-size="16" font-weight="bold"')];
	let x = margin;
	for (const [index, {name}] of own.entries()) {
		lines.push(rect(x, top + 32, 12, 12, colors[index % colors.length]!), text(x + 18, top + 42, name));
		x += 40 + name.length * 7;
	}

	lines.push(rect(x, top + 32, 12, 12, behindColor), text(x + 18, top + 42, 'slower than the best peer'));
	let y = top + headHeight;
	const bars: string[] = [];
	for (const {row, bars: ofRow} of groups) {
		const height = ofRow.length * (barHeight + barGap);
		bars.push(text(left - 10, y + height / 2 + 3, rowName(row), 'text-anchor="end"'));
		for (const bar of ofRow) {
			bars.push(formatBar(bar, left, y));
			y += barHeight + barGap;
		}

		y += groupGap;
	}

	for (const tick of [0.1, 0.25, 0.5, 1, 2, 4, 10, 25, 50, 100]) {
		const at = left + positionOf(tick);
		const stroke = tick === 1 ? 'stroke="#333333" stroke-width="1.5"' : 'stroke="#dddddd"';
		lines.push(
			`<line x1="${at}" y1="${top + headHeight - 16}" x2="${at}" y2="${y}" ${stroke}/>`,
			text(at, top + headHeight - 22, `${tick}x`, 'text-anchor="middle" fill="#555555"'),
		);
	}

	return {svg: [...lines, ...bars].join('\n'), height: y - top};
};

const formatBar = ({subject, color, found}: Bar, left: number, y: number): string => {
	const one = positionOf(1);
	const end = positionOf(found.ratio);
	const title = `${subject}: ${formatRatio(found)} ${found.peer}`;
	const fill = found.ratio < 1 ? behindColor : color;
	return [
		`<g><title>${escape(title)}</title>`,
		rect(left + Math.min(one, end), y, Math.max(1, Math.abs(end - one)), barHeight, fill),
		// The colour of the subject stays visible where the bar says that it is behind.
		rect(left - 6, y, 4, barHeight, color),
		text(left + Math.max(one, end) + 5, y + 10, `${formatRatio(found)} ${found.peer}`, 'font-size="10" fill="#333333"'),
		'</g>',
	].join('');
};

const positionOf = (ratio: number): number => {
	const within = Math.min(ratioMax, Math.max(ratioMin, ratio));
	return round((Math.log(within / ratioMin) / Math.log(ratioMax / ratioMin)) * plotWidth);
};

const round = (value: number): number => Math.round(value * 10) / 10;

const rect = (x: number, y: number, width: number, height: number, fill: string): string =>
	`<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" fill="${fill}"/>`;

const text = (x: number, y: number, content: string, attributes = ''): string =>
	`<text x="${round(x)}" y="${round(y)}"${attributes === '' ? '' : ` ${attributes}`}>${escape(content)}</text>`;

const escape = (content: string): string =>
	content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
