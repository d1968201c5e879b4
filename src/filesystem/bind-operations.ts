import {nameBytesMax} from '../model/object-key.ts';
import * as attributes from './attribute-operations.ts';
import {Directories} from './directory-operations.ts';
import {drain} from './drain.ts';
import * as extended from './extended-attributes.ts';
import * as files from './file-operations.ts';
import type {FileSystem, FileSystemStat, FileSystemStatus} from './filesystem.ts';
import {getattr} from './get-attributes.ts';
import * as names from './name-operations.ts';
import type {OpenFile} from './open-file.ts';
import {open} from './open-operation.ts';
import * as ranges from './range-operations.ts';
import {rename} from './rename.ts';
import type {Volume} from './volume.ts';

/** The file system over its parts: each operation is in the file of its kind. */
export const bindOperations = (
	volume: Volume,
	{cacheBytes, close}: {cacheBytes: () => number; close: () => Promise<void>},
): FileSystem & {primeRoot: () => Promise<void>} => {
	const directories = new Directories(volume);
	const status = (): FileSystemStatus => {
		const changed = volume.files.all().filter(file => file.hasChanges);
		return {
			openHandles: volume.files.handleCount + directories.openCount,
			dirtyBytes: changed.reduce((total, file) => total + file.dirtyBytes, 0),
			uploadsPending: volume.uploads.pendingCount,
			oldestUploadAgeMs: toOldestAgeMs(changed),
			uploadsFailed: volume.uploads.failedCount,
			conflicts: volume.uploads.conflictCount,
			cacheBytes: cacheBytes(),
			memoryCacheBytes: volume.reader.memoryBytes,
			stagingBytes: volume.staging.usedBytes,
			...(volume.uploads.lastError === undefined ? {} : {lastError: volume.uploads.lastError}),
		};
	};

	return {
		getattr: async target => getattr(volume, target),
		statfs: () => fileSystemStat,
		open: async (path, flags, create) => {
			if (flags.create) {
				names.assertCreatable(volume, path);
			}

			return open(volume, path, flags, create);
		},
		read: async (handle, buffer, offset) => files.read(volume, handle, buffer, offset),
		write: async (handle, data, offset, options) => files.write(volume, handle, data, offset, options),
		flush: async (handle, options) => files.flush(volume, handle, options),
		fsync: async handle => files.fsync(volume, handle),
		release: async handle => files.release(volume, handle),
		truncate: async (target, sizeBytes) => {
			await files.truncate(volume, target, sizeBytes);
		},
		fallocate: async (handle, request) => ranges.fallocate(volume, handle, request),
		copyFileRange: async (source, destination, length) => ranges.copyFileRange(volume, source, destination, length),
		chmod: async (target, permissions) => attributes.chmod(volume, target, permissions),
		chown: async (target, owner) => attributes.chown(volume, target, owner),
		utimens: async (target, times) => attributes.utimens(volume, target, times),
		listxattr: async path => extended.listxattr(volume, path),
		getxattr: async (path, name) => extended.getxattr(volume, path, name),
		setxattr: async (path, name, value, mode) => extended.setxattr(volume, path, name, value, mode),
		removexattr: async (path, name) => extended.removexattr(volume, path, name),
		mkdir: async (path, permissions, caller) => names.mkdir(volume, path, permissions, caller),
		rmdir: async path => names.rmdir(volume, path),
		unlink: async path => names.unlink(volume, path),
		symlink: async (target, path, caller) => names.symlink(volume, target, path, caller),
		readlink: async path => names.readlink(volume, path),
		mknod: async (path, node, caller) => names.mknod(volume, path, node, caller),
		rename: async (from, to, options) => rename(volume, from, to, options),
		opendir: async path => directories.opendir(path),
		readdir: async (handle, offset) => directories.readdir(handle, offset),
		releasedir: async handle => {
			directories.releasedir(handle);
		},
		fsyncdir: async () => undefined,
		status,
		drain: async options => drain(volume, status, options),
		close,
		primeRoot: async () => directories.primeRoot(),
	};
};

const toOldestAgeMs = (files: readonly OpenFile[]): number | undefined => {
	const times = files.map(file => file.oldestSealedAtMs).filter(atMs => atMs !== undefined);
	// The clock of the node may be set back meanwhile.
	return times.length === 0 ? undefined : Math.max(0, Date.now() - Math.min(...times));
};

/** S3 has no size. Large, but small enough for programs that count in signed 64-bit bytes. */
const fileSystemStat: FileSystemStat = {
	blockBytes: 4096,
	blocksTotal: 2 ** 38,
	blocksFree: 2 ** 38,
	filesTotal: 2 ** 32,
	filesFree: 2 ** 32,
	nameBytesMax,
};
