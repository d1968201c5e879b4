import {constants as fs} from 'node:fs';
import {constants} from 'node:os';
import test, {type ExecutionContext} from 'ava';
import type Fuse from 'fuse-native';
import {createFuseOperations} from '../../src/fuse/fuse-operations.ts';
import {OperationMetrics} from '../../src/fuse/operation-metrics.ts';
import {OperationRunner} from '../../src/fuse/operation-runner.ts';
import {MemoryFileSystem} from '../filesystem/doubles/memory-file-system.ts';

const {errno} = constants;
const ignore = () => {};
const log = {trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore};

const setUp = (t: ExecutionContext, {hasExtendedAttributes = true} = {}) => {
	const fileSystem = new MemoryFileSystem();
	const metrics = new OperationMetrics();
	const runner = new OperationRunner({log, metrics, isEachLogged: false, durationMsMax: 60_000});
	t.teardown(() => runner.close());
	const operations = createFuseOperations({
		fileSystem,
		runner,
		log,
		metrics,
		operationCountMax: 4,
		requestBytesMax: 2 ** 20,
		requestContext: () => ({uid: 7, gid: 8, pid: 0, umask: 0}) as Fuse.RequestContext,
		device: async () => ({major: 0, minor: 0}),
		hasExtendedAttributes,
	});
	return {fileSystem, metrics, operations};
};

type Operations = ReturnType<typeof setUp>['operations'];

/** What an operation of libfuse is answered: the result, and what it tells besides. */
const answerOf = async <Value>(
	act: (callback: (result?: number | null, value?: Value) => void) => void,
): Promise<{result: number | null | undefined; value: Value | undefined}> =>
	new Promise(resolve => {
		act((result, value) => resolve({result, value}));
	});

/** The descriptor of a new file. */
const create = async (operations: Operations, path: string): Promise<number> => {
	const {value} = await answerOf<Fuse.FileHandle | Fuse.FileInfoResult>(callback =>
		operations.createWithFlags(path, 0o100_640, fs.O_RDWR | fs.O_CREAT, callback),
	);
	return Number((value as Fuse.FileInfoResult).fd);
};

const write = async (operations: Operations, fd: number, text: string) =>
	answerOf(callback => operations.write(null, fd, Buffer.from(text), text.length, 0, callback));

test('a new file belongs to the caller, and descriptors are never 0, which means none to libfuse', async t => {
	const {operations, fileSystem} = setUp(t);
	t.true((await create(operations, '/file')) > 0);
	t.like(await fileSystem.getattr({path: 'file'}), {uid: 7, gid: 8, permissions: 0o640});
	await answerOf(callback => operations.mkdir('/directory', 0o750, callback));
	t.like(await fileSystem.getattr({path: 'directory'}), {uid: 7, gid: 8, permissions: 0o750});
});

test('bytes that are written are read again, and counted', async t => {
	const {operations, metrics} = setUp(t);
	const fd = await create(operations, '/file');
	t.is((await write(operations, fd, 'content')).result, 7);
	const {result, value} = await answerOf<Buffer>(callback => operations.readBuffer(null, fd, 100, 3, callback));
	t.is(result, 0);
	t.is(value?.toString(), 'tent');
	t.is(metrics.writtenBytes.value, 7);
	t.is(metrics.readBytes.value, 4);
});

test('a failure is answered with its negative errno', async t => {
	const {operations} = setUp(t);
	const answers = await Promise.all([
		answerOf<Fuse.Stats>(callback => operations.getattr('/missing', callback)),
		answerOf(callback => operations.unlink('/not-utf-8-\uFFFD', callback)),
		answerOf(callback => operations.symlink('target', '/not-utf-8-\uFFFD', callback)),
		answerOf(callback => operations.link('/a', '/b', callback)),
	]);
	t.deepEqual(
		answers.map(({result}) => result),
		[-errno.ENOENT, -errno.ENOENT, -errno.EILSEQ, -errno.EPERM],
	);
});

test('open() of a file that grew since the kernel was told its size is ESTALE once', async t => {
	const {operations, fileSystem} = setUp(t);
	await create(operations, '/file');
	await answerOf<Fuse.Stats>(callback => operations.getattr('/file', callback));
	await fileSystem.truncate({path: 'file'}, 100); // Elsewhere: the kernel does not hear of it.
	const open = async (flags = fs.O_RDONLY) =>
		answerOf<Fuse.FileHandle | Fuse.FileInfoResult>(callback => operations.open('/file', flags, callback));
	t.is((await open(fs.O_WRONLY | fs.O_APPEND)).result, 0);
	t.is((await open()).result, -errno.ESTALE);
	t.is((await open()).result, 0);
});

test('open() of a file is ESTALE once when the kernel was told the size of an open one', async t => {
	const {operations, fileSystem} = setUp(t);
	const fd = await create(operations, '/file');
	await answerOf<Fuse.Stats>(callback => operations.getattr('/file', callback));
	await fileSystem.truncate({path: 'file'}, 100);
	await answerOf<Fuse.Stats>(callback => operations.fgetattr('/file', fd, callback));
	await fileSystem.truncate({path: 'file'}, 0);
	const open = async () =>
		answerOf<Fuse.FileHandle | Fuse.FileInfoResult>(callback => operations.open('/file', fs.O_RDONLY, callback));
	t.is((await open()).result, -errno.ESTALE);
	t.is((await open()).result, 0);
});

test('open() of a file is not refused for what the kernel wrote itself, nor for what it knew by another name', async t => {
	const {operations} = setUp(t);
	const fd = await create(operations, '/file');
	await answerOf<Fuse.Stats>(callback => operations.fgetattr('/file', fd, callback));
	await answerOf<number>(callback => operations.write('/file', fd, Buffer.from('more'), 4, 0, callback));
	const open = async (path: string) =>
		answerOf<Fuse.FileHandle | Fuse.FileInfoResult>(callback => operations.open(path, fs.O_RDONLY, callback));
	t.is((await open('/file')).result, 0);
	await answerOf(callback => operations.renameWithFlags('/file', '/moved', 0, callback));
	t.is((await open('/moved')).result, 0);
});

test('chown() does not change an id that the kernel sends as -1', async t => {
	const {operations, fileSystem} = setUp(t);
	await create(operations, '/file');
	await answerOf(callback => operations.chownWithHandle('/file', 0, 0xff_ff_ff_ff, 5, callback));
	t.like(await fileSystem.getattr({path: 'file'}), {uid: 7, gid: 5});
});

test('a file that is removed while it is open stays reachable by the name that libfuse gives it', async t => {
	const {operations} = setUp(t);
	const hidden = '/.fuse_hidden0000000200000001';
	const fd = await create(operations, '/file');
	await write(operations, fd, 'content');
	t.is((await answerOf(callback => operations.renameWithFlags('/file', hidden, 0, callback))).result, 0);
	const {value} = await answerOf<Fuse.Stats>(callback => operations.getattr(hidden, callback));
	t.is(value?.size, 7);
	const old = await answerOf<Fuse.Stats>(callback => operations.getattr('/file', callback));
	t.is(old.result, -errno.ENOENT);
	t.is((await answerOf(callback => operations.unlink(hidden, callback))).result, 0);
});

test('there are operations for extended attributes only where they are wanted', t => {
	t.true('getxattr' in setUp(t).operations);
	t.false('getxattr' in setUp(t, {hasExtendedAttributes: false}).operations);
});
