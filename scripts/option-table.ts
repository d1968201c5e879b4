// `node scripts/option-table.ts` writes the option table into README.md; test/readme.ts holds it to be current.
import fs from 'node:fs';
import path from 'node:path';
import {optionTable} from '../src/model/option-table.ts';

const readmePath = path.resolve(import.meta.dirname, '../README.md');
const begin = '<!-- options: begin -->';
const end = '<!-- options: end -->';

/** The table of options as Markdown. */
export const formatOptionTable = (): string =>
	[
		'| option | default | values | meaning |',
		'|---|---|---|---|',
		...optionTable.map(
			({name, default: value, unit, help}) =>
				`| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${unit} | ${help.replaceAll('|', '\\|')} |`,
		),
	].join('\n');

/** The table as it stands in the README, and a function that puts the current one there. */
export const readReadme = (): {table: string; write: () => void} => {
	const text = fs.readFileSync(readmePath, 'utf8');
	const start = text.indexOf(begin) + begin.length;
	const stop = text.indexOf(end);
	return {
		table: text.slice(start, stop).trim(),
		write() {
			fs.writeFileSync(readmePath, `${text.slice(0, start)}\n${formatOptionTable()}\n${text.slice(stop)}`);
		},
	};
};

if (import.meta.main) {
	readReadme().write();
}
