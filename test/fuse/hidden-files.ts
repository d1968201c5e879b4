import {setTimeout as delay} from 'node:timers/promises';
import test from 'ava';
import {callingSyscall} from '../../src/fuse/calling-syscall.ts';
import {HiddenFiles} from '../../src/fuse/hidden-files.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {FsError} from '../../src/model/fs-error.ts';
import {errnoOf} from '../support/fs-under-test.ts';
import {MemoryFileSystem} from '../filesystem/doubles/memory-file-system.ts';
import {listTree} from './support/list-tree.ts';

const hiddenName = '.fuse_hidden0000000200000001';
const ignore = () => {};

const open = async (syscall: 'unlink' | 'rename' | undefined) => {
	const fileSystem = new MemoryFileSystem();
	const errors: string[] = [];
	const log = {
		trace: ignore,
		debug: ignore,
		info: ignore,
		warn: ignore,
		fatal: ignore,
		error: (_fields: unknown, message: string) => void errors.push(message),
	};
	const hidden = new HiddenFiles({fileSystem, callingSyscall: async () => syscall, log});
	const {handle} = await fileSystem.open('file', parseOpenFlags(0o102), {permissions: 0o644, caller: {uid: 0, gid: 0}});
	await fileSystem.write(handle, Buffer.from('content'), 0);
	return {fileSystem, hidden, handle, errors};
};

test('hide() removes the name at once when the program waits in unlink()', async t => {
	const {fileSystem, hidden} = await open('unlink');
	await hidden.hide('file', hiddenName, 1);
	t.deepEqual(await listTree(fileSystem), []);
	const handle = hidden.handleOf(`directory/${hiddenName}`)!; // Just hidden.
	t.is((await fileSystem.getattr({handle})).sizeBytes, 7);
	t.true(await hidden.forget(hiddenName));
	t.is(await errnoOf(fileSystem.getattr({handle})), 'EBADF', 'The handle is released');
	t.false(await hidden.forget(hiddenName));
});

test('hide() reports what unlink() fails with', async t => {
	const {fileSystem, hidden} = await open('unlink');
	fileSystem.unlink = async () => {
		throw new FsError('EACCES', 'denied');
	};

	t.is(await errnoOf(hidden.hide('file', hiddenName, 1)), 'EACCES');
	t.is(hidden.handleOf(hiddenName), undefined);
	t.is(fileSystem.status().openHandles, 1);
});

test('hide() keeps the file when the program waits in rename(), which will replace it', async t => {
	const {fileSystem, hidden} = await open('rename');
	await hidden.hide('file', hiddenName, 1);
	t.deepEqual(await listTree(fileSystem), ['file file']);
	t.true(hidden.isSettled);
});

test('hide() without knowing the call removes the file when no rename() follows, before the next use of its name', async t => {
	const {fileSystem, hidden, errors} = await open(undefined);
	await hidden.hide('file', hiddenName, 1);
	t.false(hidden.isSettled);
	await hidden.settle('elsewhere');
	t.deepEqual(await listTree(fileSystem), ['file file']);
	await hidden.settle('file');
	t.deepEqual(await listTree(fileSystem), []);
	t.deepEqual(errors, []);
});

test('hide() without knowing the call leaves the file to the rename() that follows', async t => {
	const {fileSystem, hidden} = await open(undefined);
	await hidden.hide('file', hiddenName, 1);
	hidden.expectReplacement('file');
	await delay(30);
	t.deepEqual(await listTree(fileSystem), ['file file']);
	t.true(hidden.isSettled);
});

test('isHiding() knows the renames of libfuse from those of programs', async t => {
	const {hidden} = await open('unlink');
	t.true(hidden.isHiding('/a/file', `/a/${hiddenName}`));
	t.false(hidden.isHiding('/a/file', `/b/${hiddenName}`));
	t.false(hidden.isHiding('/a/file', '/a/.fuse_hidden'));
	t.false(hidden.isHiding('/a/file', '/a/other'));
});

test('hidden files below a directory that was renamed and removed are released', async t => {
	const {fileSystem, hidden} = await open('rename');
	await hidden.hide('file', `old/${hiddenName}`, 1);
	hidden.follow('old', 'new');
	await hidden.forgetBelow('old');
	t.is(fileSystem.status().openHandles, 2);
	await hidden.forgetBelow('new');
	t.is(fileSystem.status().openHandles, 1);
});

test('open() shares a hidden file with a reader until both are done, and refuses a writer with ESTALE', async t => {
	const {fileSystem, hidden} = await open('unlink');
	await hidden.hide('file', hiddenName, 1);
	t.is(await errnoOf(hidden.open(hiddenName, parseOpenFlags(1))), 'ESTALE');
	const {handle} = await hidden.open(hiddenName, parseOpenFlags(0));
	await hidden.forget(hiddenName);
	t.is(await errnoOf(hidden.open(hiddenName, parseOpenFlags(0))), 'ESTALE');
	t.is(await errnoOf(hidden.open('missing', parseOpenFlags(0))), 'ENOENT');
	const buffer = Buffer.alloc(7);
	t.is(await fileSystem.read(handle, buffer, 0), 7);
	t.is(buffer.toString(), 'content');
	await hidden.release(handle);
	t.is(fileSystem.status().openHandles, 1);
});

test('callingSyscall() is undefined for a thread that does not exist and for one in another call', async t => {
	t.is(await callingSyscall(2 ** 22 + 1), undefined);
	t.is(await callingSyscall(process.pid), undefined);
});
