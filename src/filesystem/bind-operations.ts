import {nameBytesMax} from '../model/object-key.ts';
import * as attributes from './attribute-operations.ts';
import {Directories} from './directory-operations.ts';
import {drain} from './drain.ts';
import * as extended from './extended-attributes.ts';
import * as files from './file-operations.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {FileSystem, FileSystemStat, FileSystemStatus} from './filesystem.ts';
import {getattr, knownAttributes} from './get-attributes.ts';
import {isCurrent} from './is-current.ts';
import * as names from './name-operations.ts';
import type {OpenFile} from './open-file.ts';
import {open} from './open-operation.ts';
import * as ranges from './range-operations.ts';
import {rename} from './rename.ts';
import {warmUp} from './warm-up.ts';

/** The file system over its parts: each operation is in the file of its kind. */
export const bindOperations = (
	parts: FileSystemParts,
	{cacheBytes, close}: {cacheBytes: () => number; close: () => Promise<void>},
): FileSystem & {primeRoot: () => Promise<void>} => {
	const directories = new Directories(parts);
	const status = () => statusOf(parts, {openDirectories: directories.openCount, cacheBytes: cacheBytes()});
	return {
		getattr: async (target, options) => getattr(parts, target, options),
		knownAttributes: path => knownAttributes(parts, path),
		isCurrent: async (handle, path) => isCurrent(parts, handle, path),
		statfs: () => fileSystemStat,
		open: async (path, flags, create) => {
			if (flags.create) {
				names.assertCreatable(parts, path);
			}

			return open(parts, path, flags, create);
		},
		read: async (handle, buffer, offset, options) => files.read(parts, handle, buffer, offset, options),
		write: async (handle, data, offset, options) => files.write(parts, handle, data, offset, options),
		flush: async (handle, options) => files.flush(parts, handle, options),
		fsync: async handle => files.fsync(parts, handle),
		release: async handle => files.release(parts, handle),
		truncate: async (target, sizeBytes) => {
			await files.truncate(parts, target, sizeBytes);
		},
		fallocate: async (handle, request) => ranges.fallocate(parts, handle, request),
		copyFileRange: async (source, destination, length) => ranges.copyFileRange(parts, source, destination, length),
		chmod: async (target, permissions) => attributes.chmod(parts, target, permissions),
		chown: async (target, owner) => attributes.chown(parts, target, owner),
		utimens: async (target, times) => attributes.utimens(parts, target, times),
		listxattr: async path => extended.listxattr(parts, path),
		getxattr: async (path, name) => extended.getxattr(parts, path, name),
		setxattr: async (path, name, value, mode) => extended.setxattr(parts, path, name, value, mode),
		removexattr: async (path, name) => extended.removexattr(parts, path, name),
		mkdir: async (path, permissions, caller) => names.mkdir(parts, path, permissions, caller),
		rmdir: async path => names.rmdir(parts, path),
		unlink: async path => names.unlink(parts, path),
		symlink: async (target, path, caller) => names.symlink(parts, target, path, caller),
		readlink: async path => names.readlink(parts, path),
		mknod: async (path, entry, caller) => names.mknod(parts, path, entry, caller),
		rename: async (from, to, options) => rename(parts, from, to, options),
		opendir: async path => directories.opendir(path),
		readdir: async (handle, offset) => directories.readdir(handle, offset),
		releasedir: async handle => {
			directories.releasedir(handle);
		},
		fsyncdir: async () => undefined,
		status,
		drain: async options => drain(parts, status, options),
		warmUp: async (path, options) => warmUp(parts, path, options),
		close,
		primeRoot: async () => directories.primeRoot(),
	};
};

const statusOf = (
	parts: FileSystemParts,
	{openDirectories, cacheBytes}: {openDirectories: number; cacheBytes: number},
): FileSystemStatus => {
	const changed = parts.files.all().filter(file => file.hasChanges);
	return {
		openHandles: parts.files.handleCount + openDirectories,
		dirtyBytes: changed.reduce((total, file) => total + file.dirtyBytes, 0),
		uploadsPending: parts.uploads.pendingCount,
		oldestUploadAgeMs: toOldestAgeMs(changed),
		uploadsFailed: parts.uploads.failedCount,
		conflicts: parts.uploads.conflictCount,
		cacheBytes,
		memoryCacheBytes: parts.reader.memoryBytes,
		stagingBytes: parts.staging.usedBytes,
		checksums: {...parts.reader.checksumStatus, isEncrypted: !parts.options.endpoint.startsWith('http:')},
		...(parts.uploads.lastError === undefined ? {} : {lastError: parts.uploads.lastError}),
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
