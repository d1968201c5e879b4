import {constants} from 'node:fs';
import {errnoOf, type PosixCase} from '../../../support/fs-under-test.ts';
import {readText, writeText} from '../../../support/fs-text.ts';

const {O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY} = constants;

/** open(2): its flags and its errors. */
export const openCases: readonly PosixCase[] = [
	{
		title: 'open() with O_CREAT makes an empty file with the permissions under the umask',
		async run(t, fs) {
			await (await fs.open('new', O_CREAT | O_WRONLY, 0o666)).close();
			t.like(await fs.stat('new'), {kind: 'file', sizeBytes: 0, permissions: 0o644, nlink: 1});
		},
	},
	{
		title: 'open() with O_CREAT keeps a file that exists',
		async run(t, fs) {
			await writeText(fs, 'file', 'kept');
			await (await fs.open('file', O_CREAT | O_RDWR, 0o600)).close();
			t.is(await readText(fs, 'file'), 'kept');
			t.is((await fs.stat('file')).permissions, 0o644);
		},
	},
	{
		title: 'open() with O_CREAT | O_EXCL refuses a file, a directory and a symlink that exist',
		async run(t, fs) {
			await writeText(fs, 'file', '');
			await fs.mkdir('directory');
			await fs.symlink('nowhere', 'link');
			for (const path of ['file', 'directory', 'link']) {
				t.is(await errnoOf(fs.open(path, O_CREAT | O_EXCL | O_WRONLY)), 'EEXIST', path);
			}
		},
	},
	{
		title: 'open() with O_CREAT | O_EXCL lets one of many callers win',
		async run(t, fs) {
			const results = await Promise.all(
				Array.from({length: 8}, async () =>
					errnoOf(
						(async () => {
							const file = await fs.open('lock', O_CREAT | O_EXCL | O_WRONLY);
							await file.close();
						})(),
					),
				),
			);
			t.is(results.filter(errno => errno === undefined).length, 1);
			t.is(results.filter(errno => errno === 'EEXIST').length, 7);
		},
	},
	{
		title: 'open() with O_TRUNC empties a file',
		async run(t, fs) {
			await writeText(fs, 'file', 'long content');
			const file = await fs.open('file', O_WRONLY | O_TRUNC);
			t.is((await file.stat()).sizeBytes, 0);
			await file.close();
			t.is(await readText(fs, 'file'), '');
		},
	},
	{
		title: 'write() with O_APPEND goes to the end, whatever was written meanwhile',
		async run(t, fs) {
			await writeText(fs, 'log', 'one,');
			const first = await fs.open('log', O_WRONLY | O_APPEND);
			const second = await fs.open('log', O_WRONLY | O_APPEND);
			await first.write('two,');
			await second.write('three,');
			await first.write('four');
			await first.close();
			await second.close();
			t.is(await readText(fs, 'log'), 'one,two,three,four');
		},
	},
	{
		title: 'read() on a write-only file and write() on a read-only file fail with EBADF',
		needs: 'host', // The kernel sees to it before we are asked.
		async run(t, fs) {
			await writeText(fs, 'file', 'text');
			const writer = await fs.open('file', O_WRONLY);
			t.is(await errnoOf(writer.read(4, 0)), 'EBADF');
			await writer.close();
			const reader = await fs.open('file', O_RDONLY);
			t.is(await errnoOf(reader.write('x', 0)), 'EBADF');
			await reader.close();
		},
	},
	{
		title: "open() fails with ENOENT where there is no file, no directory, or nothing behind O_CREAT's directory",
		async run(t, fs) {
			t.is(await errnoOf(fs.open('missing', O_RDONLY)), 'ENOENT');
			t.is(await errnoOf(fs.open('missing/file', O_RDONLY)), 'ENOENT');
			t.is(await errnoOf(fs.open('missing/file', O_CREAT | O_WRONLY)), 'ENOENT');
		},
	},
	{
		title: 'open() fails with ENOTDIR below a file',
		needs: 'host', // The kernel sees to it before we are asked.
		async run(t, fs) {
			await writeText(fs, 'file', '');
			t.is(await errnoOf(fs.open('file/below', O_RDONLY)), 'ENOTDIR');
			t.is(await errnoOf(fs.open('file/below', O_CREAT | O_WRONLY)), 'ENOTDIR');
			t.is(await errnoOf(fs.stat('file/below')), 'ENOTDIR');
		},
	},
	{
		title: 'open() of a directory for writing fails with EISDIR',
		async run(t, fs) {
			await fs.mkdir('directory');
			t.is(await errnoOf(fs.open('directory', O_WRONLY)), 'EISDIR');
			t.is(await errnoOf(fs.open('directory', O_RDWR | O_TRUNC)), 'EISDIR');
		},
	},
	{
		title: 'open() of a symlink with O_NOFOLLOW fails with ELOOP',
		async run(t, fs) {
			await writeText(fs, 'file', '');
			await fs.symlink('file', 'link');
			t.is(await errnoOf(fs.open('link', O_RDONLY | O_NOFOLLOW)), 'ELOOP');
		},
	},
	{
		title: 'open() follows a chain of symlinks, and fails with ELOOP when it is a circle',
		needs: 'host',
		async run(t, fs) {
			await writeText(fs, 'file', 'reached');
			await fs.symlink('file', 'one');
			await fs.symlink('one', 'two');
			t.is(await readText(fs, 'two'), 'reached');
			await fs.symlink('b', 'a');
			await fs.symlink('a', 'b');
			t.is(await errnoOf(fs.open('a', O_RDONLY)), 'ELOOP');
		},
	},
];
