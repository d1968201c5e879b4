import {mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {
	removeLeftOvers,
	replaceFile,
	replaceLink,
	replaceStateFile,
	temporarySibling,
} from '../../../src/node/host/durable-file.ts';

const createDirectory = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-durable-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

test('a file is replaced as a whole, with the mode that was asked for', async t => {
	const directory = createDirectory(t);
	const path = join(directory, 'file');
	await replaceFile(path, 'old', {mode: 0o777});
	t.is(statSync(path).mode & 0o777, 0o777);
	await replaceFile(path, Buffer.from('new'), {
		mode: 0o640,
		check: async temporary => {
			t.is(readFileSync(temporary, 'utf8'), 'new');
			t.is(readFileSync(path, 'utf8'), 'old');
		},
	});
	t.is(readFileSync(path, 'utf8'), 'new');
	t.is(statSync(path).mode & 0o777, 0o640);
	t.deepEqual(readdirSync(directory), ['file']);
});

test('a file that does not pass its check leaves the old one, and nothing beside it', async t => {
	const directory = createDirectory(t);
	const path = join(directory, 'file');
	replaceStateFile(path, 'old');
	t.is(statSync(path).mode & 0o777, 0o600);
	const check = async () => {
		throw new Error('bad');
	};
	await t.throwsAsync(replaceFile(path, 'new', {mode: 0o600, check}), {message: 'bad'});
	t.is(readFileSync(path, 'utf8'), 'old');
	t.deepEqual(readdirSync(directory), ['file']);
});

test('a link is pointed somewhere else, also to what is not there', t => {
	const directory = createDirectory(t);
	const path = join(directory, 'link');
	replaceLink(path, 'a');
	replaceLink(path, 'b');
	t.is(readlinkSync(path), 'b');
	t.deepEqual(readdirSync(directory), ['link']);
});

test('what a killed writer left is found by its name', t => {
	const directory = createDirectory(t);
	const path = join(directory, 'file');
	writeFileSync(path, '');
	writeFileSync(temporarySibling(path), '');
	removeLeftOvers(directory, /^\.file\.[0-9a-f]{12}$/);
	t.deepEqual(readdirSync(directory), ['file']);
});
