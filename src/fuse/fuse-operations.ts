import {constants} from 'node:fs';
import type Fuse from 'fuse-native';
import type {Caller, FileSystem, Handle, OpenFlags, OpenResult, Target} from '../filesystem/filesystem.ts';
import {FsError} from '../model/fs-error.ts';
import {callingSyscall} from './calling-syscall.ts';
import {toFuseResult} from './errno.ts';
import type {FuseLog} from './fuse-log.ts';
import {toNewPath, toPath, toUtf8} from './fuse-path.ts';
import {
	kindOfNewNode,
	permissionsOfMode,
	toFuseEntryStat,
	toFuseStat,
	toFuseStatfs,
	toTimeChange,
} from './fuse-stat.ts';
import {HiddenFiles} from './hidden-files.ts';
import {parseOpenFlags} from './open-flags.ts';
import {parseFallocateMode, parseRenameFlags, parseXattrFlags} from './operation-flags.ts';
import type {OperationMetrics} from './operation-metrics.ts';
import {hasOtherDescriptor} from './other-descriptors.ts';
import type {OperationRunner} from './operation-runner.ts';
import {ReadBuffers} from './read-buffers.ts';
import {ShownSizes} from './shown-sizes.ts';

/** chown(2): this id stays as it is. */
const idUnchanged = 0xff_ff_ff_ff;

/**
The table of operations that libfuse calls. What is not in it the kernel does by itself: flock(2) and fcntl(2) locks
hold between the processes of this node, access(2) follows from the attributes (`default_permissions`), seeking
knows no holes.

A handle is handed to libfuse plus one: there, 0 means that there is none.
*/
export const createFuseOperations = (parts: {
	readonly fileSystem: FileSystem;
	readonly runner: OperationRunner;
	readonly log: FuseLog;
	readonly metrics: OperationMetrics;
	readonly operationCountMax: number;
	readonly requestBytesMax: number;
	/** Who asks; only for the operation that runs now, so before the first `await`. */
	readonly requestContext: () => Readonly<Fuse.RequestContext> | null;
}): Fuse.OPERATIONS => {
	const {fileSystem, runner, requestContext, metrics} = parts;
	const readBuffers = new ReadBuffers({bytesMax: parts.requestBytesMax, countMax: parts.operationCountMax / 2});
	const shown = new ShownSizes({countMax: 100_000});
	const hidden = new HiddenFiles({fileSystem, callingSyscall, log: parts.log});

	/** Runs an operation on a path, after what is still being removed there. */
	const run = <T>(
		name: string,
		subject: Fuse.HandlePath | Fuse.FileHandle,
		callback: (result: number) => void,
		act: () => Promise<T>,
		succeed: (value: T) => void = () => callback(0),
		abandon?: (value: T) => void,
	): void => {
		runner.run({
			name,
			subject: typeof subject === 'string' ? subject : `#${String(subject)}`,
			act:
				hidden.isSettled || typeof subject !== 'string' ? act : async () => hidden.settle(subject.slice(1)).then(act),
			succeed,
			fail: callback,
			abandon,
		});
	};

	const caller = (): Caller => {
		const context = requestContext();
		return {uid: context?.uid ?? 0, gid: context?.gid ?? 0};
	};

	const targetOf = (path: Fuse.HandlePath, fd: Fuse.FileHandle = 0): Target => {
		const handle = fd === 0 ? hidden.handleOf(path ?? '') : toHandle(fd);
		return handle === undefined ? {path: toPath(path ?? '')} : {handle};
	};

	const ignore = (): void => {};

	/** Opens a file; `undefined` when the kernel has to look it up again first. */
	const openAsShown = async (fusePath: string, flags: OpenFlags): Promise<OpenResult | undefined> => {
		const result = await hidden.open(toPath(fusePath), flags);
		// Who does not read is not cut short; appends go to the end, wherever the kernel believes it to be.
		if (!result.keepCache && !flags.truncate && flags.read) {
			const {sizeBytes} = await fileSystem.getattr({handle: result.handle});
			if (shown.takeIsWrong(fusePath, sizeBytes)) {
				await hidden.release(result.handle);
				return undefined;
			}
		}

		return result;
	};

	return {
		getattr: (path, callback) =>
			run(
				'getattr',
				path,
				callback,
				async () => fileSystem.getattr(targetOf(path)),
				stat => {
					shown.note(path ?? '', stat.sizeBytes);
					callback(0, toFuseStat(stat));
				},
				ignore,
			),
		fgetattr: (path, fd, callback) =>
			run(
				'fgetattr',
				fd,
				callback,
				async () => fileSystem.getattr(targetOf(path, fd)),
				stat => callback(0, toFuseStat(stat)),
				ignore,
			),
		statfs: (path, callback) =>
			run(
				'statfs',
				path,
				callback,
				async () => fileSystem.statfs(),
				stat => callback(0, toFuseStatfs(stat)),
				ignore,
			),

		open: (path, flags, callback) =>
			run(
				'open',
				path,
				callback,
				async () => openAsShown(path, parseOpenFlags(flags & ~(constants.O_CREAT | constants.O_EXCL))),
				result => {
					if (result === undefined) {
						callback(toFuseResult('ESTALE'));
					} else {
						callback(0, toOpenResult(result));
					}
				},
				result => {
					if (result !== undefined) {
						void hidden.release(result.handle);
					}
				},
			),
		createWithFlags(path, mode, flags, callback) {
			const owner = caller();
			run(
				'create',
				path,
				callback,
				async () =>
					fileSystem.open(
						toNewPath(path),
						{...parseOpenFlags(flags), create: true},
						{permissions: permissionsOfMode(mode), caller: owner},
					),
				result => callback(0, toOpenResult(result)),
			);
		},
		readBuffer(_path, fd, length, position, callback) {
			const buffer = readBuffers.take(length);
			const giveBack = (): void => readBuffers.giveBackAfterAnswer(buffer);
			run(
				'read',
				fd,
				callback,
				async () => fileSystem.read(toHandle(fd), buffer, Number(position)),
				count => {
					metrics.readBytes.value += count;
					callback(0, buffer.subarray(0, count));
					giveBack();
				},
				giveBack,
			);
		},
		write(_path, fd, buffer, _length, position, callback) {
			const writepage = requestContext()?.fileInfo?.writepage === true;
			run(
				'write',
				fd,
				callback,
				async () => {
					try {
						return await fileSystem.write(toHandle(fd), buffer, Number(position), {writepage});
					} finally {
						freeBytes(buffer);
					}
				},
				count => {
					metrics.writtenBytes.value += count;
					callback(count);
				},
			);
		},
		flush(_path, fd, callback) {
			const threadId = requestContext()?.pid ?? 0;
			run('flush', fd, callback, async () =>
				fileSystem.flush(toHandle(fd), {hasOtherDescriptor: async path => hasOtherDescriptor(threadId, path)}),
			);
		},
		fsync: (_path, _dataOnly, fd, callback) => run('fsync', fd, callback, async () => fileSystem.fsync(toHandle(fd))),
		release: (_path, fd, callback) => run('release', fd, callback, async () => hidden.release(toHandle(fd))),

		truncate: (path, size, callback) =>
			run('truncate', path, callback, async () => fileSystem.truncate(targetOf(path), Number(size))),
		ftruncate: (path, fd, size, callback) =>
			run('ftruncate', fd, callback, async () => fileSystem.truncate(targetOf(path, fd), Number(size))),
		fallocate: (_path, fd, mode, offset, length, callback) =>
			run('fallocate', fd, callback, async () =>
				fileSystem.fallocate(toHandle(fd), {
					offset: Number(offset),
					length: Number(length),
					...parseFallocateMode(mode),
				}),
			),
		copyFileRange(_from, fromFd, fromOffset, _to, toFd, toOffset, length, _flags, callback) {
			const source = {handle: toHandle(fromFd), offset: Number(fromOffset)};
			const destination = {handle: toHandle(toFd), offset: Number(toOffset)};
			run(
				'copy_file_range',
				fromFd,
				callback,
				async () => fileSystem.copyFileRange(source, destination, Number(length)),
				callback,
			);
		},

		chmodWithHandle: (path, fd, mode, callback) =>
			run('chmod', path, callback, async () => fileSystem.chmod(targetOf(path, fd), permissionsOfMode(mode))),
		chownWithHandle: (path, fd, uid, gid, callback) =>
			run('chown', path, callback, async () =>
				fileSystem.chown(targetOf(path, fd), {
					uid: uid === idUnchanged ? undefined : uid,
					gid: gid === idUnchanged ? undefined : gid,
				}),
			),
		utimensWithHandle: (path, fd, atime, mtime, callback) =>
			run('utimens', path, callback, async () =>
				fileSystem.utimens(targetOf(path, fd), {atime: toTimeChange(atime), mtime: toTimeChange(mtime)}),
			),

		listxattr: (path, callback) =>
			run(
				'listxattr',
				path,
				callback,
				async () => (hidden.handleOf(path) === undefined ? fileSystem.listxattr(toPath(path)) : []),
				names => callback(0, names),
				ignore,
			),
		getxattr: (path, name, _position, callback) =>
			run(
				'getxattr',
				path,
				callback,
				// The kernel asks for `security.capability` before every write; no file of ours has other than `user.` names.
				async () =>
					name.startsWith('user.') && hidden.handleOf(path) === undefined
						? fileSystem.getxattr(toPath(path), name)
						: undefined,
				value => callback(0, value === undefined ? null : toBuffer(value)),
				ignore,
			),
		setxattr: (path, name, value, _position, flags, callback) =>
			run('setxattr', path, callback, async () => {
				assertHasName(hidden.handleOf(path));
				await fileSystem.setxattr(
					toPath(path),
					toUtf8(name, 'name of an extended attribute'),
					value,
					parseXattrFlags(flags),
				);
			}),
		removexattr: (path, name, callback) =>
			run('removexattr', path, callback, async () => {
				assertHasName(hidden.handleOf(path));
				await fileSystem.removexattr(toPath(path), name);
			}),

		mkdir(path, mode, callback) {
			const owner = caller();
			run('mkdir', path, callback, async () => fileSystem.mkdir(toNewPath(path), permissionsOfMode(mode), owner));
		},
		rmdir: (path, callback) =>
			run('rmdir', path, callback, async () => {
				await fileSystem.rmdir(toPath(path));
				await hidden.forgetBelow(path.slice(1));
			}),
		unlink: (path, callback) =>
			run('unlink', path, callback, async () => {
				if (!(await hidden.forget(path))) {
					await fileSystem.unlink(toPath(path));
				}
			}),
		symlink(target, path, callback) {
			const owner = caller();
			run('symlink', path, callback, async () =>
				fileSystem.symlink(toUtf8(target, 'link target'), toNewPath(path), owner),
			);
		},
		readlink: (path, callback) =>
			run(
				'readlink',
				path,
				callback,
				async () => fileSystem.readlink(toPath(path)),
				target => callback(0, target),
				ignore,
			),
		mknod(path, mode, device, callback) {
			const owner = caller();
			run('mknod', path, callback, async () =>
				fileSystem.mknod(
					toNewPath(path),
					{kind: kindOfNewNode(mode), permissions: permissionsOfMode(mode), rdev: Number(device)},
					owner,
				),
			);
		},
		link: (_from, path, callback) =>
			run('link', path, callback, async () => {
				throw new FsError('EPERM', 'Cannot make a hard link: an object of S3 has one key');
			}),
		renameWithFlags(from, to, flags, callback) {
			const threadId = requestContext()?.pid ?? 0;
			hidden.expectReplacement(to.slice(1));
			run('rename', from, callback, async () => {
				if (flags === 0 && hidden.isHiding(from, to)) {
					await hidden.hide(toPath(from), to, threadId);
					return;
				}

				await fileSystem.rename(toPath(from), toNewPath(to), parseRenameFlags(flags));
				hidden.follow(from.slice(1), to.slice(1));
				shown.forget(to);
			});
		},

		opendir: (path, _flags, callback) =>
			run(
				'opendir',
				path,
				callback,
				async () => fileSystem.opendir(toPath(path)),
				handle => callback(0, toFd(handle)),
				handle => void fileSystem.releasedir(handle),
			),
		readdirPaged: (_path, fd, offset, callback) =>
			run(
				'readdir',
				fd,
				callback,
				async () => fileSystem.readdir(toHandle(fd), Number(offset)),
				entries =>
					callback(
						0,
						entries.map(({name}) => name),
						entries.map(({kind}) => toFuseEntryStat(kind)),
						entries.map(({nextOffset}) => nextOffset),
					),
				ignore,
			),
		releasedir: (_path, fd, callback) =>
			run('releasedir', fd, callback, async () => fileSystem.releasedir(toHandle(fd))),
		fsyncdir: (_path, _dataOnly, fd, callback) =>
			run('fsyncdir', fd, callback, async () => fileSystem.fsyncdir(toHandle(fd))),
	};
};

const toFd = (handle: Handle): number => handle + 1;
const toHandle = (fd: Fuse.FileHandle): Handle => Number(fd) - 1;

const toOpenResult = ({handle, keepCache}: {handle: Handle; keepCache: boolean}): Fuse.FileInfoResult => ({
	fd: toFd(handle),
	keepCache,
});

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const assertHasName = (handle: Handle | undefined): void => {
	if (handle !== undefined) {
		throw new FsError('EOPNOTSUPP', 'Cannot change extended attributes of a file that was deleted');
	}
};

/**
The bytes of a write are not looked at again: free them now. Left to the garbage collector they cost a full
collection for every ten large writes, a third of the CPU time of a long write.
*/
const freeBytes = (buffer: Buffer): void => {
	if (buffer.buffer.byteLength === buffer.byteLength && buffer.byteLength >= 2 ** 16) {
		(buffer.buffer as ArrayBuffer).transfer(0);
	}
};
