import fs from 'node:fs/promises';
import path from 'node:path';
import {formatMarkdown} from './report-markdown.ts';
import {formatSvg} from './report-svg.ts';
import type {Report} from './report.ts';

const begin = '<!-- report: begin (npm run bench -- --publish) -->';
const end = '<!-- report: end -->';

/** Writes report.json, report.md and report.svg. */
export const writeReport = async (report: Report, directory: string): Promise<void> => {
	await fs.mkdir(directory, {recursive: true});
	const title = '# Beside other S3 file systems';
	const picture = '![Ratio to the best peer](report.svg)';
	await Promise.all([
		fs.writeFile(path.join(directory, 'report.json'), `${JSON.stringify(report, undefined, '\t')}\n`),
		fs.writeFile(path.join(directory, 'report.svg'), formatSvg(report)),
		fs.writeFile(
			path.join(directory, 'report.md'),
			`${title}\n\n${picture}\n\n${formatMarkdown(report, {headingLevel: 2})}\n`,
		),
	]);
};

/** Puts the report into docs/PERFORMANCE.md, and its picture beside that. */
export const publishReport = async (report: Report, docs: string): Promise<void> => {
	const page = path.join(docs, 'PERFORMANCE.md');
	await fs.writeFile(path.join(docs, 'performance.svg'), formatSvg(report));
	const text = `![Ratio to the best peer](performance.svg)\n\n${formatMarkdown(report, {headingLevel: 3})}`;
	await fs.writeFile(page, placeReport(await fs.readFile(page, 'utf8'), text));
};

/** The page with another report between its marks; fails when it has none. */
export const placeReport = (page: string, text: string): string => {
	const from = page.indexOf(begin);
	const to = page.indexOf(end);
	if (from === -1 || to < from) {
		throw new Error(`Cannot publish the report: the page has no lines "${begin}" and "${end}"`);
	}

	return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
};
