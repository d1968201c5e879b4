import fs from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {placeReport, publishReport, writeReport} from '../../../bench/reporting/write-report.ts';
import {createTestDirectory} from '../../support/dev-server.ts';
import {sampleReport} from './support/sample-report.ts';

const performancePage = join(import.meta.dirname, '../../../docs/PERFORMANCE.md');

test('report.json has everything that was measured', async t => {
	const directory = join(await createTestDirectory(t), 'report');
	await writeReport(sampleReport, directory);
	t.deepEqual((await fs.readdir(directory)).toSorted(), ['report.json', 'report.md', 'report.svg']);
	t.deepEqual(JSON.parse(await fs.readFile(join(directory, 'report.json'), 'utf8')), sampleReport);
});

test('a published report takes the place of the one before, and nothing else of docs/PERFORMANCE.md', async t => {
	const directory = await createTestDirectory(t);
	const page = join(directory, 'PERFORMANCE.md');
	await fs.copyFile(performancePage, page);
	const before = await fs.readFile(page, 'utf8');
	await publishReport(sampleReport, directory);
	const once = await fs.readFile(page, 'utf8');
	await publishReport(sampleReport, directory);
	t.is(await fs.readFile(page, 'utf8'), once);
	const [head, tail] = [before.split('<!-- report: begin')[0]!, before.split('<!-- report: end -->')[1]!];
	t.true(once.startsWith(head) && once.endsWith(tail));
	t.true(once.includes('](performance.svg)') && once.includes('### Speed, 20 ms'));
	t.regex(await fs.readFile(join(directory, 'performance.svg'), 'utf8'), /^<svg /);
});

test('a page without marks is left as it is', t => {
	t.throws(() => placeReport('# Page', 'text'), {message: /the page has no lines/});
});
