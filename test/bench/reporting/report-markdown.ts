import test from 'ava';
import {formatMarkdown} from '../../../bench/reporting/report-markdown.ts';
import {sampleReport} from './support/sample-report.ts';

const lines = formatMarkdown(sampleReport, {headingLevel: 3}).split('\n');

test('figures stand beside each other, with the ratio to the best peer and the reasons of failures', t => {
	t.true(lines.includes('### Speed, 20 ms'));
	t.true(lines.includes('| workload | pnx-volume | s3fs | rclone |'), 'Who measured nothing has no column');
	t.true(lines.includes('| `fast <&>`, files/s | 1,500 (75.0x) | 10.0 | 20.0 |'));
	t.true(lines.includes('| `slow`, s | 4.00 (0.250x) | 1.00 | failed: exit \\| status 1 |'));
});

test('costs have CPU, memory, requests, the longest chain and bytes', t => {
	t.true(lines.includes('| `fast <&>` | pnx-volume | 1.50 | 64 | 1,234 | 7 | 5.00 | 0.00100 | 3 |'));
});

test('streams are compared with a bare client', t => {
	t.true(lines.includes('A bare client reads 500 MB/s; of that: pnx-volume 80 %, s3fs 50 %.'));
});

test('it says where a peer is ahead, what was exceeded, and what it went on without', t => {
	t.true(lines.includes('- `slow` at 20 ms: pnx-volume is 0.250x s3fs (time)'));
	t.is(lines.filter(line => line.startsWith('- `')).length, 1);
	t.true(lines.includes('| mount | 0.500 s | 0.25 s, exceeded |'));
	t.true(lines.includes('- Without fio.'));
});
