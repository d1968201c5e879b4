import {constants} from 'node:fs';
import {errnoOf, type PosixCase} from '../../../support/fs-under-test.ts';
import {readBytes, readText, writeText} from '../../../support/fs-text.ts';

const {O_CREAT, O_RDONLY, O_RDWR} = constants;
const mebibyte = 2 ** 20;

/** What is in files: reads and writes anywhere, holes, sizes, several handles at once. */
export const contentCases: readonly PosixCase[] = [
	{
		title: 'write() and read() take any position and length',
		async run(t, fs) {
			const file = await fs.open('file', O_CREAT | O_RDWR);
			await file.write('0123456789', 0);
			await file.write('abc', 4);
			t.is((await file.read(100, 0)).toString(), '0123abc789');
			t.is((await file.read(3, 5)).toString(), 'bc7');
			t.is((await file.read(10, 10)).length, 0);
			t.is((await file.read(10, 5000)).length, 0);
			await file.close();
			t.is(await readText(fs, 'file'), '0123abc789');
		},
	},
	{
		title: 'write() behind the end leaves zeros between',
		async run(t, fs) {
			const file = await fs.open('sparse', O_CREAT | O_RDWR);
			await file.write('start', 0);
			await file.write('end', 3 * mebibyte + 7);
			await file.close();
			const bytes = await readBytes(fs, 'sparse');
			t.is(bytes.length, 3 * mebibyte + 10);
			t.is(bytes.subarray(0, 5).toString(), 'start');
			t.true(bytes.subarray(5, 3 * mebibyte + 7).every(byte => byte === 0));
			t.is(bytes.subarray(-3).toString(), 'end');
		},
	},
	{
		title: 'write() keeps the bytes of a file of several megabytes, written in odd pieces',
		async run(t, fs) {
			const content = Buffer.from(
				Array.from({length: 5 * mebibyte + 123}, (_, index) => (index * 7 + (index >> 8)) % 251),
			);
			const file = await fs.open('large', O_CREAT | O_RDWR);
			for (let position = 0; position < content.length; position += 333_333) {
				await file.write(content.subarray(position, position + 333_333), position);
			}

			await file.write(Buffer.from('patch'), mebibyte - 2);
			content.set(Buffer.from('patch'), mebibyte - 2);
			await file.close();
			t.true((await readBytes(fs, 'large')).equals(content));
		},
	},
	{
		title: 'truncate() cuts, and lengthens with zeros where old bytes were',
		async run(t, fs) {
			await writeText(fs, 'file', 'abcdefgh');
			await fs.truncate('file', 3);
			t.is(await readText(fs, 'file'), 'abc');
			await fs.truncate('file', 6);
			t.is(await readText(fs, 'file'), 'abc\0\0\0');
			t.is((await fs.stat('file')).sizeBytes, 6);
		},
	},
	{
		title: 'ftruncate() works both ways on an open file, and the next write fills in',
		async run(t, fs) {
			const file = await fs.open('file', O_CREAT | O_RDWR);
			await file.write('abcdefgh', 0);
			await file.truncate(2);
			await file.write('Z', 4);
			t.is((await file.read(100, 0)).toString(), 'ab\0\0Z');
			await file.truncate(7);
			t.is((await file.stat()).sizeBytes, 7);
			await file.close();
			t.is(await readText(fs, 'file'), 'ab\0\0Z\0\0');
		},
	},
	{
		title: 'truncate() of a directory fails with EISDIR, of nothing with ENOENT',
		async run(t, fs) {
			await fs.mkdir('directory');
			t.is(await errnoOf(fs.truncate('directory', 0)), 'EISDIR');
			t.is(await errnoOf(fs.truncate('missing', 0)), 'ENOENT');
		},
	},
	{
		title: 'read() on one handle sees what another has written, before any close',
		async run(t, fs) {
			await writeText(fs, 'file', 'old old old');
			const writer = await fs.open('file', O_RDWR);
			const reader = await fs.open('file', O_RDONLY);
			t.is((await reader.read(100, 0)).toString(), 'old old old');
			await writer.write('NEW', 4);
			t.is((await reader.read(100, 0)).toString(), 'old NEW old');
			await writer.truncate(7);
			t.is((await reader.stat()).sizeBytes, 7);
			t.is((await reader.read(100, 0)).toString(), 'old NEW');
			await reader.close();
			await writer.close();
		},
	},
	{
		title: 'fsync() succeeds on a changed and on an unchanged file, and writing goes on after it',
		async run(t, fs) {
			const file = await fs.open('file', O_CREAT | O_RDWR);
			await file.write('one', 0);
			await file.sync();
			await file.sync();
			await file.write('two', 3);
			await file.sync();
			await file.close();
			t.is(await readText(fs, 'file'), 'onetwo');
		},
	},
	{
		title: 'write() of many handles to disjoint ranges of one file loses nothing',
		async run(t, fs) {
			await writeText(fs, 'file', '');
			await Promise.all(
				Array.from({length: 6}, async (_, index) => {
					const file = await fs.open('file', O_RDWR);
					await file.write(Buffer.alloc(70_000, 65 + index), index * 70_000);
					await file.close();
				}),
			);
			const bytes = await readBytes(fs, 'file');
			t.is(bytes.length, 420_000);
			t.true(bytes.every((byte, index) => byte === 65 + Math.floor(index / 70_000)));
		},
	},
	{
		title: 'unlink() of an open file leaves its handle working: read, write, stat, truncate, chmod',
		async run(t, fs) {
			await writeText(fs, 'file', 'before');
			const file = await fs.open('file', O_RDWR);
			await fs.unlink('file');
			t.is(await errnoOf(fs.stat('file')), 'ENOENT');
			t.deepEqual(await fs.readdir(''), []);
			t.is((await file.read(100, 0)).toString(), 'before');
			await file.write('after', 6);
			t.is((await file.read(100, 0)).toString(), 'beforeafter');
			t.like(await file.stat(), {sizeBytes: 11, kind: 'file'});
			await file.truncate(2);
			await file.chmod(0o600);
			t.like(await file.stat(), {sizeBytes: 2, permissions: 0o600});
			await file.close();
			t.deepEqual(await fs.readdir(''), []);
		},
	},
	{
		title: 'unlink() of an open file frees its name for another file',
		async run(t, fs) {
			await writeText(fs, 'file', 'old');
			const old = await fs.open('file', O_RDWR);
			await fs.unlink('file');
			await writeText(fs, 'file', 'new content');
			t.is((await old.read(100, 0)).toString(), 'old');
			await old.write('OLD', 0);
			await old.close();
			t.is(await readText(fs, 'file'), 'new content');
		},
	},
	{
		title: 'rename() of an open file takes later writes along',
		async run(t, fs) {
			const file = await fs.open('draft', O_CREAT | O_RDWR);
			await file.write('one', 0);
			await fs.rename('draft', 'final');
			await file.write('two', 3);
			await file.close();
			t.is(await readText(fs, 'final'), 'onetwo');
			t.deepEqual(await fs.readdir(''), ['final']);
		},
	},
	{
		title: 'rename() over an open file leaves the handle on the old content',
		async run(t, fs) {
			await writeText(fs, 'target', 'old content');
			const old = await fs.open('target', O_RDWR);
			await writeText(fs, 'new', 'new');
			await fs.rename('new', 'target');
			t.is((await old.read(100, 0)).toString(), 'old content');
			t.is((await old.stat()).sizeBytes, 11);
			t.is(await readText(fs, 'target'), 'new');
			await old.write('OLD', 0);
			await old.close();
			t.is(await readText(fs, 'target'), 'new');
			t.deepEqual(await fs.readdir(''), ['target']);
		},
	},
	{
		title: 'fallocate() lengthens, keeps the size, punches holes and zeroes',
		needs: 'extended',
		async run(t, fs) {
			const {fallocate} = fs.extended!; // What the case needs.
			await writeText(fs, 'file', 'abcdefgh');
			await fallocate('file', {offset: 0, length: 10}, 'extend');
			t.is(await readText(fs, 'file'), 'abcdefgh\0\0');
			await fallocate('file', {offset: 8, length: 100}, 'keepSize');
			t.is((await fs.stat('file')).sizeBytes, 10);
			await fallocate('file', {offset: 2, length: 2}, 'punchHole');
			t.is(await readText(fs, 'file'), 'ab\0\0efgh\0\0');
			await fallocate('file', {offset: 6, length: 6}, 'zeroRange');
			t.is(await readText(fs, 'file'), 'ab\0\0ef\0\0\0\0\0\0');
		},
	},
	{
		title: "copy_file_range() copies within the source's end, to any offset",
		needs: 'extended',
		async run(t, fs) {
			await writeText(fs, 'from', '0123456789');
			await writeText(fs, 'to', 'abc');
			// What the case needs.
			t.is(await fs.extended!.copyRange({path: 'from', offset: 4}, {path: 'to', offset: 5}, 100), 6);
			t.is(await readText(fs, 'to'), 'abc\0\u0000456789');
		},
	},
];
