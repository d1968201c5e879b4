import type {ExecutionContext} from 'ava';
import {errnoNameOf} from '../../src/fuse/errno.ts';
import type {EntryKind, TimeChange} from '../../src/filesystem/filesystem.ts';
import type {PosixAgent} from '../end-to-end/posix/support/posix-agent.ts';

export type Stat = {
	/** On a kernel only. */
	readonly ino?: number;
	readonly kind: EntryKind;
	readonly permissions: number;
	readonly uid: number;
	readonly gid: number;
	readonly sizeBytes: number;
	readonly mtimeNs: bigint;
	readonly atimeNs: bigint;
	readonly nlink: number;
};

export type OpenFile = {
	read(length: number, position: number): Promise<Buffer>;
	/** Without a position at the file's own offset, or at the end with O_APPEND. */
	write(data: string | Uint8Array, position?: number): Promise<void>;
	stat(): Promise<Stat>;
	truncate(sizeBytes: number): Promise<void>;
	chmod(permissions: number): Promise<void>;
	sync(): Promise<void>;
	close(): Promise<void>;
};

/** Calls that Node.js has not: on a kernel they need python3. */
export type ExtendedCalls = {
	utimens(path: string, times: {atime: TimeChange; mtime: TimeChange}): Promise<void>;
	listxattr(path: string): Promise<string[]>;
	/** ENODATA when there is none. */
	getxattr(path: string, name: string): Promise<Buffer>;
	setxattr(path: string, name: string, value: string, mode: 'create' | 'replace' | 'either'): Promise<void>;
	removexattr(path: string, name: string): Promise<void>;
	renameWith(from: string, to: string, flag: 'noReplace' | 'exchange'): Promise<void>;
	fallocate(
		path: string,
		range: {offset: number; length: number},
		mode: 'extend' | 'keepSize' | 'punchHole' | 'zeroRange',
	): Promise<void>;
	copyRange(from: {path: string; offset: number}, to: {path: string; offset: number}, length: number): Promise<number>;
};

/** What lets one list of cases run on `FileSystem` itself, on a mount of it, and on a local directory. */
export type FsUnderTest = {
	open(path: string, flags: number, permissions?: number): Promise<OpenFile>;
	/** Does not follow symlinks. */
	stat(path: string): Promise<Stat>;
	/** Without `.` and `..`, in any order. */
	readdir(path: string): Promise<string[]>;
	/** One walk, entry by entry. */
	walk(path: string): AsyncIterable<string>;
	mkdir(path: string, permissions?: number): Promise<void>;
	rmdir(path: string): Promise<void>;
	unlink(path: string): Promise<void>;
	rename(from: string, to: string): Promise<void>;
	symlink(target: string, path: string): Promise<void>;
	readlink(path: string): Promise<string>;
	chmod(path: string, permissions: number): Promise<void>;
	chown(path: string, uid: number, gid: number): Promise<void>;
	truncate(path: string, sizeBytes: number): Promise<void>;
	statfs(): Promise<{blockBytes: number; blocksFree: number}>;
	readonly extended: ExtendedCalls | undefined;
	/** Present when a kernel is in between. */
	readonly host: Host | undefined;
};

export type Host = {
	/** Where a path is for any program. */
	hostPath(path: string): string;
	/** A process of its own that makes calls which Node.js has not; needs python3. Ends with the test. */
	startAgent(): PosixAgent;
};

export type PosixCase = {
	readonly title: string;
	/**
	`host`: a kernel; `extended`: calls that Node.js lacks; `agents`: both, in processes; `users`: a kernel and root.
	*/
	readonly needs?: 'extended' | 'host' | 'agents' | 'users' | undefined;
	readonly run: (t: ExecutionContext, fs: FsUnderTest) => Promise<void>;
};

/** The errno that a call failed with, whichever side threw it; `undefined` when it did not fail. */
export const errnoOf = async (call: Promise<unknown>): Promise<string | undefined> => {
	try {
		await call;
		return undefined;
	} catch (error) {
		const name = errnoNameOf(error) ?? (error instanceof Error && 'code' in error ? error.code : undefined);
		if (typeof name !== 'string') {
			throw error;
		}

		return name === 'ENOTSUP' ? 'EOPNOTSUPP' : name;
	}
};
