/**
Holds docs/SEMANTICS.md and its tests together: each promise has a number and a test, and each test quotes a
promise.
*/
import {readFile, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {fuse, isMet, python, root} from '../../support/needs.ts';

type Sentence = {readonly number: string; readonly sentence: string};

const documentFile = join(import.meta.dirname, '../../../docs/SEMANTICS.md');

/** The lines of the numbered sections, with the number of their section. */
const sectionLines = async (): Promise<Array<{section: number; line: string}>> => {
	const lines: Array<{section: number; line: string}> = [];
	let section = 0;
	for (const line of (await readFile(documentFile, 'utf8')).split('\n')) {
		const heading = /^## (\d+)\. \S/.exec(line);
		section = heading === null ? section : Number(heading[1]);
		if (section > 0 && heading === null && line !== '') {
			lines.push({section, line});
		}
	}

	return lines;
};

const promisePattern = /^- \*\*(\d+\.\d+)\*\* (.+)$/;

const readPromises = async (): Promise<Sentence[]> =>
	(await sectionLines()).flatMap(({line}) => {
		const match = promisePattern.exec(line);
		return match?.[1] === undefined || match[2] === undefined ? [] : [{number: match[1], sentence: match[2]}];
	});

/** Whether what is declared by a function of this name runs here. */
const isDeclared: Readonly<Record<string, boolean>> = {
	test: true,
	onMounts: isMet(fuse, python),
	onMountsOfRoot: isMet(fuse, python, root),
};

/**
The titles of the tests beside this file that begin with a number. One that is expected to fail holds nothing, nor does
one that is skipped because this machine lacks what it needs.
*/
const readTitles = async (): Promise<Sentence[]> => {
	const titles: Sentence[] = [];
	for (const name of (await readdir(import.meta.dirname)).filter(file => file.endsWith('.ts'))) {
		const source = await readFile(join(import.meta.dirname, name), 'utf8');
		for (const [, declare, plain = '', quoted] of source.matchAll(
			/^\t*(test|onMounts|onMountsOfRoot)(?:\.serial)?\(\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")/gm,
		)) {
			if (declare !== undefined && !(isDeclared[declare] ?? false)) {
				continue;
			}

			const match = /^(\d+\.\d+) (.+)$/.exec(quoted ?? plain.replaceAll("\\'", "'"));
			if (match?.[1] !== undefined && match[2] !== undefined) {
				titles.push({number: match[1], sentence: match[2].replace(/ \([^()]*\)$/, '')});
			}
		}
	}

	return titles;
};

test('every promise of docs/SEMANTICS.md has a test', async t => {
	const tested = new Set((await readTitles()).map(({number}) => number));
	const promises = await readPromises();
	t.true(promises.length > 100);
	t.deepEqual(
		promises.filter(({number}) => !tested.has(number)),
		[],
	);
});

test('every test quotes a sentence of docs/SEMANTICS.md as it stands there', async t => {
	const sentences = new Map((await readPromises()).map(({number, sentence}) => [number, sentence]));
	const titles = await readTitles();
	t.true(titles.length > 100);
	t.deepEqual(
		titles.filter(({number, sentence}) => sentences.get(number) !== sentence),
		[],
	);
});

test('every text in the sections of docs/SEMANTICS.md is a promise with a number, or an explanation in a quotation block', async t => {
	const lines = await sectionLines();
	t.deepEqual(
		lines.filter(({line}) => !promisePattern.test(line) && !/^>(?: |$)/.test(line)),
		[],
	);
});

test('the promises of docs/SEMANTICS.md have numbers of their section, in order, and end with one full stop', async t => {
	let last = [0, 0];
	for (const {section, line} of await sectionLines()) {
		const [, number, sentence = ''] = promisePattern.exec(line) ?? [];
		if (number === undefined) {
			continue;
		}

		const [major = 0, minor = 0] = number.split('.').map(Number);
		t.is(major, section, line);
		t.true(major > last[0]! || minor > last[1]!, `${number} comes after ${last.join('.')}`); // Two numbers, always.
		last = [major, minor];
		t.regex(sentence, /^[^.].*[^.]\.$/, number);
		t.notRegex(sentence, /[a-z]\. [A-Z]/, `${number} is one sentence`);
	}
});
