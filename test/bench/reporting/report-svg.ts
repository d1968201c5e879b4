import test from 'ava';
import {formatSvg} from '../../../bench/reporting/report-svg.ts';
import {row, sampleReport} from './support/sample-report.ts';

type Bar = {readonly title: string; readonly x: number; readonly width: number; readonly fill: string};

const barsOf = (svg: string): Bar[] =>
	[
		...svg.matchAll(
			/<g><title>(.*?)<\/title><rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="\d+" fill="(.*?)"/g,
		),
	].map(([, title = '', x, width, fill = '']) => ({title, x: Number(x), width: Number(width), fill}));

test('each ratio is a bar from 1 to it on a logarithmic scale', t => {
	const svg = formatSvg({
		...sampleReport,
		rows: [
			row('twice', 'files/s', {'pnx-volume': [20], s3fs: [10]}),
			row('half', 'files/s', {'pnx-volume': [5], s3fs: [10]}),
			row('off the scale', 'files/s', {'pnx-volume': [1e6], s3fs: [1]}),
		],
	});
	const [twice, half, far] = barsOf(svg);
	t.is(twice?.title, 'pnx-volume: 2.00x s3fs');
	t.true(Math.abs(twice!.width - half!.width) < 0.3, 'As long to the left as to the right');
	t.true(Math.abs(half!.x + half!.width - twice!.x) < 0.3, 'Both begin at 1');
	t.not(twice!.fill, half!.fill);
	t.true(far!.width < 600);
});

test('text is escaped and the picture is well-formed', t => {
	const svg = formatSvg(sampleReport);
	t.true(svg.includes('fast &lt;&amp;&gt;'));
	t.notRegex(svg, /NaN|undefined|Infinity/);
	t.is(svg.match(/<g>/g)?.length, svg.match(/<\/g>/g)?.length);
	t.regex(svg, /^<svg [^>]* width="\d+" height="\d+[\d.]*" /);
});
