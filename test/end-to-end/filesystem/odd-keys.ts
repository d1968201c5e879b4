import test from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {objectKeys, startNodes} from '../../support/volume-nodes.ts';

/** Keys that no name of Linux can be, or that say two things at once. */
const oddKeys = [
	'd//double',
	'd/./dot',
	'd/../up',
	'/leading',
	`d/${'n'.repeat(256)}`,
	`d/${'ü'.repeat(128)}/below`,
	'd/nul\0byte',
	'//',
];

test('keys that cannot be names are not shown, and do no harm', async t => {
	const {bucket, a} = await startNodes(t);
	for (const key of [...oddKeys, 'd/plain']) {
		await bucket.put(key, Buffer.from(key));
	}

	t.deepEqual(await a.fs.readdir(''), ['d']);
	t.deepEqual(await a.fs.readdir('d'), ['plain']);
	t.is(await readText(a.fs, 'd/plain'), 'd/plain');
	await writeText(a.fs, 'd/new', 'new');
	await a.fileSystem.unlink('d/plain');
	t.is(await errnoOf(a.fileSystem.rmdir('d')), 'ENOTEMPTY');
	t.deepEqual(
		(await objectKeys(bucket)).filter(key => oddKeys.includes(key)).toSorted(),
		oddKeys.toSorted(),
		'they are all there still',
	);
	await a.fileSystem.unlink('d/new');
	t.is(await errnoOf(a.fileSystem.rmdir('d')), 'ENOTEMPTY', 'a directory with hidden keys is not empty');
});

test('rename() of a directory takes keys along that cannot be shown', async t => {
	const {bucket, a} = await startNodes(t);
	for (const key of ['d/', 'd//double', 'd/plain']) {
		await bucket.put(key, Buffer.from(key));
	}

	await a.fileSystem.rename('d', 'e');
	t.deepEqual(await objectKeys(bucket), ['e/', 'e//double', 'e/plain']);
});

test('a name that is a file and a directory is the directory, and the file is not touched', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('both', Buffer.from('the file'));
	await bucket.put('both/below', Buffer.from('below'));
	t.deepEqual(await a.fs.readdir(''), ['both']);
	t.is((await a.fs.stat('both')).kind, 'directory');
	t.is(await readText(a.fs, 'both/below'), 'below');
	t.is(await errnoOf(writeText(a.fs, 'both', 'x')), 'EISDIR');
	t.is(await errnoOf(a.fileSystem.unlink('both')), 'EISDIR');
	t.is(await errnoOf(a.fileSystem.rename('both/below', 'both/moved')), undefined);
	t.deepEqual(await objectKeys(bucket), ['both', 'both/', 'both/moved']);
});

test('a key that ends in a slash and has content is a directory, and keeps its content', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('d/', Buffer.from('content of a marker'));
	t.is((await a.fs.stat('d')).kind, 'directory');
	t.is((await a.fs.stat('d')).sizeBytes, 0);
	await writeText(a.fs, 'd/file', 'x');
	await a.fileSystem.unlink('d/file');
	t.is((await bucket.head('d/'))?.sizeBytes, 'content of a marker'.length);
});

test('names of up to 255 bytes work, and longer ones fail with ENAMETOOLONG', async t => {
	const {a} = await startNodes(t);
	for (const name of ['n'.repeat(255), 'ü'.repeat(127)]) {
		await writeText(a.fs, name, name);
		t.is(await readText(a.fs, name), name);
	}

	t.is(await errnoOf(writeText(a.fs, 'n'.repeat(256), 'x')), 'ENAMETOOLONG');
	t.is(await errnoOf(a.fs.mkdir('ü'.repeat(128))), 'ENAMETOOLONG');
});
