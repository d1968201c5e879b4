import {FsError, type ErrnoName} from '../../../src/model/fs-error.ts';
import type {EntryKind, EntryStat, TimeNs} from '../../../src/filesystem/filesystem.ts';

/** What one name (or open handle) of a `MemoryFileSystem` stands for. */
export type MemoryInode = {
	readonly kind: EntryKind;
	permissions: number;
	uid: number;
	gid: number;
	readonly rdev: number;
	nlink: number;
	mtimeNs: TimeNs;
	atimeNs: TimeNs;
	ctimeNs: TimeNs;
	/** Of a file: the first `sizeBytes` count; what lies behind them is always zero. */
	data: Buffer;
	sizeBytes: number;
	/** Of a directory. */
	readonly entries: Map<string, MemoryInode>;
	/** Of a symlink. */
	readonly target: string;
	readonly xattrs: Map<string, Uint8Array>;
};

/** More than this is EFBIG: the model holds its files in memory. */
export const memoryFileBytesMax = 2 ** 31;

export const statOf = (inode: MemoryInode): EntryStat => ({
	kind: inode.kind,
	permissions: inode.permissions,
	uid: inode.uid,
	gid: inode.gid,
	sizeBytes: inode.kind === 'symlink' ? Buffer.byteLength(inode.target) : inode.sizeBytes,
	mtimeNs: inode.mtimeNs,
	atimeNs: inode.atimeNs,
	ctimeNs: inode.ctimeNs,
	rdev: inode.rdev,
	nlink: inode.nlink,
});

/** Makes a file this long: what is new reads as zeros, what is cut off is gone for good. */
export const resize = (inode: MemoryInode, sizeBytes: number): void => {
	if (sizeBytes > inode.data.length) {
		// Doubling keeps a file that grows write by write from being copied each time.
		const grown = Buffer.alloc(Math.min(memoryFileBytesMax, Math.max(sizeBytes, inode.data.length * 2, 4096)));
		inode.data.copy(grown, 0, 0, inode.sizeBytes);
		inode.data = grown;
	} else if (sizeBytes < inode.sizeBytes) {
		inode.data.fill(0, sizeBytes, inode.sizeBytes);
	}

	inode.sizeBytes = sizeBytes;
};

export const fail = (errno: ErrnoName, subject: string): never => {
	throw new FsError(errno, `${errno}: ${subject}`);
};

/** The rules of setxattr(2), with the limit of S3's metadata. */
export const setXattr = (
	inode: MemoryInode,
	name: string,
	value: Uint8Array,
	mode: 'create' | 'replace' | 'either',
): void => {
	if (!name.startsWith('user.')) {
		return fail('EOPNOTSUPP', name);
	}

	if (mode === 'create' && inode.xattrs.has(name)) {
		return fail('EEXIST', name);
	}

	if (mode === 'replace' && !inode.xattrs.has(name)) {
		return fail('ENODATA', name);
	}

	const others = [...inode.xattrs].filter(([other]) => other !== name);
	if ([...others, [name, value] as const].reduce((sum, [key, bytes]) => sum + key.length + bytes.length, 0) > 2048) {
		return fail('ENOSPC', name);
	}

	inode.xattrs.set(name, Uint8Array.from(value));
};
