/**
What the FUSE layer (and every test) calls. Paths are as `model/object-key.ts` defines them: `''` is the
root, no leading slash. Failures are `FsError` or `StoreError`; `fuse/errno.ts` turns both into numbers.
Permission checks are the kernel's (`default_permissions`).
*/

import type {ChecksumStatus} from '../cache/checksum-account.ts';
import type {EntryKind} from '../model/entry-kind.ts';

export type {EntryKind} from '../model/entry-kind.ts';

/** Who makes a call: owner of what it creates. */
export type Caller = {readonly uid: number; readonly gid: number};

/** Nanoseconds since the epoch. */
export type TimeNs = bigint;

/** The attributes of an entry, as stat(2) shows them. */
export type EntryStat = {
	readonly kind: EntryKind;
	/** Permission bits with set-uid, set-gid and sticky: 0 to 0o7777. */
	readonly permissions: number;
	readonly uid: number;
	readonly gid: number;
	readonly sizeBytes: number;
	readonly mtimeNs: TimeNs;
	readonly atimeNs: TimeNs;
	readonly ctimeNs: TimeNs;
	readonly rdev: number;
	readonly nlink: number;
};

export type OpenFlags = {
	readonly read: boolean;
	readonly write: boolean;
	readonly append: boolean;
	readonly truncate: boolean;
	readonly create: boolean;
	readonly exclusive: boolean;
	/** The thread that opens, where it is known: its open may have begun with a look-up. */
	readonly threadId?: number | undefined;
};

/** Why a program's call has the kernel look a name up. */
export type LookupPurpose =
	/** It asks for the name, as stat(2) does, or makes one that must be free: what is known is good enough. */
	| {readonly call: 'ask'}
	/** It opens this file: what others have closed must be seen. */
	| {readonly call: 'open'; readonly threadId: number; readonly flags: OpenFlags};

/** An open file. The numbers are never used twice in the life of a file system. */
export type Handle = number;

export type OpenResult = {
	readonly handle: Handle;
	readonly sizeBytes: number;
	/**
	Whether the kernel may keep the pages that it has of this file: nothing changed since it last read them. To be asked
	once, when the kernel is answered, and not at all when the open is refused: it drops them at that answer.
	*/
	readonly keepsPages: () => boolean;
	/**
	Whether reads must not go through the kernel's pages, as another version of the path is open. Absent: they may.
	*/
	readonly isDirect?: boolean;
};

export type DirectoryEntry = {
	readonly name: string;
	/** `unknown` where only the object's attributes could tell (readdir(3): DT_UNKNOWN). */
	readonly kind: EntryKind | 'unknown';
	/** Where to go on after this entry; never 0. */
	readonly nextOffset: number;
};

/** A time to set: a value, the clock's, or leave it (utimensat(2): UTIME_NOW, UTIME_OMIT). */
export type TimeChange = TimeNs | 'now' | 'omit';

/** A file by name, or by an open handle where the kernel gives one (an unlinked file has no name). */
export type Target = {readonly path: string} | {readonly handle: Handle};

/** What statfs(2) answers; from memory, never from S3. */
export type FileSystemStat = {
	readonly blockBytes: number;
	readonly blocksTotal: number;
	readonly blocksFree: number;
	readonly filesTotal: number;
	readonly filesFree: number;
	readonly nameBytesMax: number;
};

/** A snapshot for `status`, metrics and unmount progress. */
export type FileSystemStatus = {
	readonly openHandles: number;
	/** Bytes that S3 does not have yet. */
	readonly dirtyBytes: number;
	/** Files that wait for their upload or are being uploaded. */
	readonly uploadsPending: number;
	/** How long the one that has waited for longest waits; absent when none does, and from daemons of older versions. */
	readonly oldestUploadAgeMs?: number | undefined;
	readonly uploadsFailed: number;
	readonly conflicts: number;
	/** On disk. */
	readonly cacheBytes: number;
	/** Of the blocks in memory; absent from daemons of older versions. */
	readonly memoryCacheBytes?: number | undefined;
	readonly stagingBytes: number;
	/** Of what came from S3; absent from daemons of older versions. */
	readonly checksums?: (ChecksumStatus & {readonly isEncrypted: boolean}) | undefined;
	/** The newest failure that a user should know of, if it has not been repaired since. */
	readonly lastError?: {readonly atMs: number; readonly message: string} | undefined;
};

/** How far a warm-up is. */
export type WarmUpProgress = {
	/** Whose bytes are on disk, or whose attributes were asked for. */
	readonly files: number;
	readonly bytes: number;
	/** For which the disk cache has no room. */
	readonly skippedFiles: number;
	/** That could not be read. */
	readonly failedFiles: number;
	readonly lastFailure?: string | undefined;
};

export type WarmUpOptions = {
	/** Asks for attributes only. */
	readonly isMetadataOnly: boolean;
	readonly onProgress?: ((progress: WarmUpProgress) => void) | undefined;
	readonly signal?: AbortSignal | undefined;
};

export type AllocationRequest = {
	offset: number;
	length: number;
	keepSize: boolean;
	zeroRange: boolean;
	punchHole: boolean;
	otherFlags: boolean;
};

export interface FileSystem {
	/**
	ENOENT when there is nothing; the root is answered from memory. `purpose` is asked only where it matters, and
	`undefined` when it cannot be told. An open file that was replaced is ESTALE to its readers; with `isOwnVersion` its
	attributes are those of the version that it opened.
	*/
	getattr(
		target: Target,
		options?: {purpose?: () => Promise<LookupPurpose | undefined>; isOwnVersion?: boolean},
	): Promise<EntryStat>;
	/** The attributes of a path where they are known, without a request to S3: what `getattr` would answer now. */
	knownAttributes(path: string): EntryStat | undefined;
	/**
	Whether an open file is what the path is now, as far as this node knows: the same file and the same version of it,
	with the changes of this node, or one that it can go on in.
	*/
	isCurrent(handle: Handle, path: string): Promise<boolean>;
	statfs(): FileSystemStat;

	/** For `create` the mode is that of a new file. Errors: ENOENT, EEXIST, EISDIR, ELOOP (a symlink), EROFS. */
	open(path: string, flags: OpenFlags, create?: {permissions: number; caller: Caller}): Promise<OpenResult>;
	/**
	Up to `buffer.length` bytes from `offset` into `buffer`; fewer only at the end of the file. ESTALE when the
	version that was opened is gone. `isForPages`: the kernel keeps the bytes in its pages, for all who have the path
	open; EINVAL when `OpenResult.isDirect` was to prevent that and still has to.
	*/
	read(handle: Handle, buffer: Uint8Array, offset: number, options?: {isForPages?: boolean}): Promise<number>;
	/**
	Takes all of `data` or fails. With `append` the offset counts only for pages that the kernel writes back (mmap).
	ESTALE when a newer version than the one that was opened is open on the node, unless it is an append.
	*/
	write(handle: Handle, data: Uint8Array, offset: number, options?: {writepage?: boolean}): Promise<number>;
	/** close(2) of one descriptor: returns when the file is in S3 (durability `close`) or in the journal (`journal`). */
	flush(
		handle: Handle,
		options?: {
			/**
			Whether the process that closes has the file (by its path) open otherwise, so that another close is to come.
			Asked only while the file is open once, so that this is the same open.
			*/
			hasOtherDescriptor?: (path: string) => Promise<boolean>;
		},
	): Promise<void>;
	/** As flush; also reports an upload that failed since the last one. */
	fsync(handle: Handle): Promise<void>;
	/** The last descriptor is gone. Never fails; what is dirty still (mmap) goes to the upload queue. */
	release(handle: Handle): Promise<void>;

	truncate(target: Target, sizeBytes: number): Promise<void>;
	fallocate(handle: Handle, request: AllocationRequest): Promise<void>;
	copyFileRange(
		source: {handle: Handle; offset: number},
		destination: {handle: Handle; offset: number},
		length: number,
	): Promise<number>;

	chmod(target: Target, permissions: number): Promise<void>;
	/** `undefined` leaves one of them as it is. */
	chown(target: Target, owner: {uid?: number | undefined; gid?: number | undefined}): Promise<void>;
	utimens(target: Target, times: {atime: TimeChange; mtime: TimeChange}): Promise<void>;

	/** Returns all names (`user.*`). */
	listxattr(path: string): Promise<string[]>;
	/** `undefined` when there is none of that name. */
	getxattr(path: string, name: string): Promise<Uint8Array | undefined>;
	/** EEXIST and ENODATA as in setxattr(2), EOPNOTSUPP outside `user.`, ENOSPC over 2 KB in all. */
	setxattr(path: string, name: string, value: Uint8Array, mode: 'create' | 'replace' | 'either'): Promise<void>;
	/** ENODATA when there is none. */
	removexattr(path: string, name: string): Promise<void>;

	mkdir(path: string, permissions: number, caller: Caller): Promise<void>;
	rmdir(path: string): Promise<void>;
	unlink(path: string): Promise<void>;
	symlink(target: string, path: string, caller: Caller): Promise<void>;
	readlink(path: string): Promise<string>;
	mknod(path: string, entry: {kind: EntryKind; permissions: number; rdev: number}, caller: Caller): Promise<void>;
	rename(
		from: string,
		to: string,
		options?: {noReplace?: boolean; exchange?: boolean; whiteout?: boolean},
	): Promise<void>;

	opendir(path: string): Promise<Handle>;
	/**
	Entries after `offset` (0: from the start), `.` and `..` first; empty at the end. Each call returns at least one
	entry before the end.
	*/
	readdir(handle: Handle, offset: number): Promise<DirectoryEntry[]>;
	releasedir(handle: Handle): Promise<void>;
	fsyncdir(handle: Handle): Promise<void>;

	status(): FileSystemStatus;
	/** Uploads everything that is dirty; resolves when nothing is left, rejects when the signal ends it first. */
	drain(options?: {signal?: AbortSignal; onProgress?: (status: FileSystemStatus) => void}): Promise<void>;
	/** Reads ahead of those who will read: see `warmUp`. */
	warmUp(path: string, options: WarmUpOptions): Promise<WarmUpProgress>;
	/** Ends background work. What is dirty stays in the journal. */
	close(): Promise<void>;
}
