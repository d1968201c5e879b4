import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {formatOptionTable, readReadme} from '../scripts/option-table.ts';

const root = path.resolve(import.meta.dirname, '..');

test('the option table of the README is the one of the code (npm run docs writes it)', t => {
	t.is(readReadme().table, formatOptionTable());
});

test('every file and script that the documents name exists', t => {
	const {scripts} = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
		scripts: Record<string, string>;
	};
	const documents = ['.', 'docs', 'docs/decisions'].flatMap(directory =>
		fs
			.readdirSync(path.join(root, directory))
			.filter(name => name.endsWith('.md'))
			.map(name => path.join(directory, name)),
	);
	for (const document of documents) {
		const text = fs.readFileSync(path.join(root, document), 'utf8');
		for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
			t.true(fs.existsSync(path.resolve(root, path.dirname(document), target!)), `${document} links to ${target}`);
		}

		for (const [, script] of text.matchAll(/npm run ([\w:]+)/g)) {
			t.true(script! in scripts, `${document} names npm run ${script}`);
		}
	}
});

test('every dependency has its line in docs/ARCHITECTURE.md', t => {
	const architecture = fs.readFileSync(path.join(root, 'docs/ARCHITECTURE.md'), 'utf8');
	const {dependencies, devDependencies} = JSON.parse(
		fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
	) as Record<string, Record<string, string>>;
	for (const name of Object.keys({...dependencies, ...devDependencies})) {
		t.true(architecture.includes(`\`${name}\``), name);
	}
});
