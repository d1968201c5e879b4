/** Section 3 of docs/SEMANTICS.md; what needs a kernel is in `on-mounts.ts`. */
import {constants} from 'node:fs';
import test from 'ava';
import {readBytes, readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {closeHandle, objectText, openHandle, readHandle, startNodes} from '../../support/volume-nodes.ts';

const {O_APPEND, O_CREAT, O_RDWR, O_WRONLY} = constants;
const mebibyte = 2 ** 20;
const range = {offset: 0, length: 0, keepSize: false, zeroRange: false, punchHole: false, otherFlags: false};

test('3.1 A file can be written anywhere, in any order, and as often as you like before it is closed.', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, 'file', 'abcdefghij');
	const file = await a.fs.open('file', O_RDWR);
	await file.write('J', 9);
	await file.write('A', 0);
	await file.write('xx', 4);
	await file.write('yy', 5);
	await file.truncate(9);
	await file.write('I', 8);
	t.is((await file.read(100, 0)).toString(), 'AbcdxyyhI');
	await file.close();
	t.is(await objectText(bucket, 'file'), 'AbcdxyyhI');
});

test("3.2 All pods of a node see each other's writes at once, before anything is closed.", async t => {
	const {a} = await startNodes(t);
	const writer = await a.fs.open('file', O_CREAT | O_WRONLY);
	await writer.write('one', 0);
	const reader = await a.fs.open('file', O_RDWR);
	t.is((await reader.read(100, 0)).toString(), 'one');
	await writer.write('two', 3);
	t.is((await reader.read(100, 0)).toString(), 'onetwo');
	t.is((await a.fs.stat('file')).sizeBytes, 6);
	t.deepEqual(await a.fs.readdir(''), ['file']);
	await reader.write('ONE', 0);
	await reader.close();
	await writer.close();
	t.is(await readText(a.fs, 'file'), 'ONEtwo');
});

test('3.3 What is written with O_APPEND goes behind the end that the file has at that moment.', async t => {
	const {a} = await startNodes(t);
	const first = await a.fs.open('log', O_CREAT | O_APPEND | O_WRONLY);
	const second = await a.fs.open('log', O_APPEND | O_WRONLY);
	for (let count = 0; count < 3; count++) {
		await first.write('a');
		await second.write('b');
	}

	await first.close();
	await second.close();
	t.is(await readText(a.fs, 'log'), 'ababab');
});

test('3.4 Bytes that were never written, behind the old end of a file, are zeros.', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, 'file', 'abcdef');
	const file = await a.fs.open('file', O_RDWR);
	await file.truncate(2);
	await file.truncate(4);
	await file.write('z', 6);
	await file.truncate(8);
	await file.close();
	t.is(await objectText(bucket, 'file'), 'ab\0\0\0\0z\0');
	t.is((await bucket.head('file'))?.sizeBytes, 8);
});

test('3.5 `fallocate()` extends a file with zeros, or leaves its size with FALLOC_FL_KEEP_SIZE.', async t => {
	const {a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	await a.fileSystem.write(handle, Buffer.from('ab'), 0);
	await a.fileSystem.fallocate(handle, {...range, length: 4});
	await a.fileSystem.fallocate(handle, {...range, length: 100, keepSize: true});
	await closeHandle(a, handle);
	t.is(await readText(a.fs, 'file'), 'ab\0\0');
});

test('3.6 Punching a hole or zeroing a range makes zeros of it.', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, 'file', 'abcdef');
	const handle = await openHandle(a, 'file', O_RDWR);
	await a.fileSystem.fallocate(handle, {...range, offset: 1, length: 2, punchHole: true, keepSize: true});
	await a.fileSystem.fallocate(handle, {...range, offset: 5, length: 3, zeroRange: true});
	await closeHandle(a, handle);
	t.is(await objectText(bucket, 'file'), 'a\0\0de\0\0\0');
});

test('3.7 Collapsing and inserting ranges fails with EOPNOTSUPP.', async t => {
	const {a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	t.is(await errnoOf(a.fileSystem.fallocate(handle, {...range, length: 4096, otherFlags: true})), 'EOPNOTSUPP');
	await closeHandle(a, handle);
});

test('3.8 `copy_file_range()` of one `part-size` or more copies on the server: the bytes do not pass through the node.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'part-size': '5MiB'}});
	const content = Buffer.alloc(12 * mebibyte, 'abcdefg');
	await bucket.put('source', content);
	const [source, target] = [await openHandle(a, 'source', O_RDWR), await openHandle(a, 'target', O_CREAT | O_RDWR)];
	t.is(
		await a.fileSystem.copyFileRange({handle: source, offset: 0}, {handle: target, offset: 0}, content.length),
		content.length,
	);
	t.is(await closeHandle(a, target), undefined);
	await closeHandle(a, source);
	t.is(a.store.callCount('get', 'put', 'uploadPart'), 0);
	t.true(content.equals(await readBytes(a.fs, 'target')));
});

test('3.9 When a large file is changed in part, only the changed parts are uploaded; S3 copies the others.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'part-size': '5MiB'}});
	const content = Buffer.alloc(30 * mebibyte, 'abcdefg');
	await bucket.put('large', content);
	const handle = await openHandle(a, 'large', O_RDWR);
	await a.fileSystem.write(handle, Buffer.from('CHANGED'), 12 * mebibyte);
	t.is(await closeHandle(a, handle), undefined);
	t.is(a.store.callCount('put'), 0);
	t.is(a.store.callCount('uploadPart'), 1);
	t.true(a.store.callCount('uploadPartCopy') >= 2);
	content.write('CHANGED', 12 * mebibyte);
	const reader = await openHandle(a, 'large', constants.O_RDONLY);
	t.is(
		await readHandle(a, reader, 12 * mebibyte - 3, 13),
		content.subarray(12 * mebibyte - 3, 12 * mebibyte + 10).toString(),
	);
	await closeHandle(a, reader);
	t.true(content.equals(await readBytes(a.fs, 'large')));
});
