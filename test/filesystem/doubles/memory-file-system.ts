import {nameBytesMax} from '../../../src/model/object-key.ts';
import type {
	Caller,
	DirectoryEntry,
	EntryKind,
	EntryStat,
	FileSystem,
	FileSystemStat,
	FileSystemStatus,
	Handle,
	OpenFlags,
	OpenResult,
	Target,
	TimeChange,
	WarmUpProgress,
} from '../../../src/filesystem/filesystem.ts';
import {fail, memoryFileBytesMax, resize, setXattr, statOf, type MemoryInode} from './memory-inode.ts';
import {MemoryTree} from './memory-tree.ts';

type OpenFile = {readonly inode: MemoryInode; readonly flags: OpenFlags};
type OpenDirectory = {readonly inode: MemoryInode; entries: DirectoryEntry[]};

/**
The file system as POSIX says it, in memory: the reference that the real one is compared with, and what the FUSE
layer is tested on. Permissions are the kernel's, as with the real one; there are no hard links.
*/
export class MemoryFileSystem implements FileSystem {
	readonly #now: () => bigint;
	readonly #tree: MemoryTree;
	readonly #files = new Map<Handle, OpenFile>();
	readonly #directories = new Map<Handle, OpenDirectory>();
	#handleLast = 0;

	constructor(options: {now?: () => bigint} = {}) {
		this.#now = options.now ?? (() => BigInt(Date.now()) * 1_000_000n);
		this.#tree = new MemoryTree(this.#now);
	}

	/** Whether two targets are one file, by whatever names. */
	isSame(one: Target, other: Target): boolean {
		return this.#at(one) === this.#at(other);
	}

	async getattr(target: Target): Promise<EntryStat> {
		return statOf(this.#at(target));
	}

	knownAttributes(path: string): EntryStat | undefined {
		const inode = this.#tree.find(path);
		return inode === undefined ? undefined : statOf(inode);
	}

	async isCurrent(handle: Handle, path: string): Promise<boolean> {
		return this.#tree.find(path) === this.#file(handle).inode;
	}

	statfs(): FileSystemStat {
		return {
			blockBytes: 4096,
			blocksTotal: 2 ** 28,
			blocksFree: 2 ** 28,
			filesTotal: 2 ** 30,
			filesFree: 2 ** 30,
			nameBytesMax,
		};
	}

	async open(path: string, flags: OpenFlags, create?: {permissions: number; caller: Caller}): Promise<OpenResult> {
		let inode = this.#tree.find(path);
		if (inode === undefined) {
			if (!flags.create || create === undefined) {
				return fail('ENOENT', path);
			}

			inode = this.#tree.create('file', create.permissions, create.caller);
			this.#tree.link(path, inode);
		} else if (flags.create && flags.exclusive) {
			return fail('EEXIST', path);
		} else if (inode.kind === 'symlink') {
			return fail('ELOOP', path);
		} else if (inode.kind === 'directory') {
			return fail('EISDIR', path);
		} else if (flags.truncate && flags.write) {
			this.#resize(inode, 0);
		}

		this.#files.set(++this.#handleLast, {inode, flags});
		return {handle: this.#handleLast, sizeBytes: inode.sizeBytes, keepsPages: () => false};
	}

	async read(handle: Handle, buffer: Uint8Array, offset: number): Promise<number> {
		const {inode, flags} = this.#file(handle);
		if (!flags.read) {
			return fail('EBADF', `handle ${handle}`);
		}

		const length = Math.max(0, Math.min(buffer.length, inode.sizeBytes - offset));
		buffer.set(inode.data.subarray(offset, offset + length));
		return length;
	}

	async write(handle: Handle, data: Uint8Array, offset: number, options: {writepage?: boolean} = {}): Promise<number> {
		const {inode, flags} = this.#file(handle);
		if (!flags.write) {
			return fail('EBADF', `handle ${handle}`);
		}

		const start = flags.append && options.writepage !== true ? inode.sizeBytes : offset;
		const end = start + data.length;
		if (end > memoryFileBytesMax) {
			return fail('EFBIG', `handle ${handle}`);
		}

		if (data.length > 0) {
			if (end > inode.sizeBytes) {
				resize(inode, end);
			}

			inode.data.set(data, start);
			this.#touchContent(inode);
		}

		return data.length;
	}

	async flush(handle: Handle): Promise<void> {
		this.#file(handle);
	}

	async fsync(handle: Handle): Promise<void> {
		this.#file(handle);
	}

	async release(handle: Handle): Promise<void> {
		this.#file(handle);
		this.#files.delete(handle);
	}

	async truncate(target: Target, sizeBytes: number): Promise<void> {
		const inode = this.#at(target);
		if (inode.kind === 'directory') {
			return fail('EISDIR', JSON.stringify(target));
		}

		if (sizeBytes < 0 || inode.kind !== 'file') {
			return fail('EINVAL', JSON.stringify(target));
		}

		this.#resize(inode, sizeBytes);
	}

	async fallocate(handle: Handle, request: Parameters<FileSystem['fallocate']>[1]): Promise<void> {
		const {inode} = this.#file(handle);
		const {offset, length, keepSize, zeroRange, punchHole, otherFlags} = request;
		if (otherFlags || (punchHole && (zeroRange || !keepSize))) {
			return fail('EOPNOTSUPP', `handle ${handle}`);
		}

		const end = offset + length;
		if (punchHole || zeroRange) {
			inode.data.fill(0, Math.min(offset, inode.sizeBytes), Math.min(end, inode.sizeBytes));
		}

		if (!keepSize && end > inode.sizeBytes) {
			this.#resize(inode, end);
		}

		this.#touchContent(inode);
	}

	async copyFileRange(
		source: {handle: Handle; offset: number},
		destination: {handle: Handle; offset: number},
		length: number,
	): Promise<number> {
		const from = this.#file(source.handle).inode;
		const end = Math.min(source.offset + length, from.sizeBytes);
		const bytes = Buffer.from(from.data.subarray(source.offset, Math.max(source.offset, end)));
		return this.write(destination.handle, bytes, destination.offset, {writepage: true});
	}

	async chmod(target: Target, permissions: number): Promise<void> {
		const inode = this.#at(target);
		inode.permissions = permissions;
		inode.ctimeNs = this.#now();
	}

	async chown(target: Target, owner: {uid?: number | undefined; gid?: number | undefined}): Promise<void> {
		const inode = this.#at(target);
		inode.uid = owner.uid ?? inode.uid;
		inode.gid = owner.gid ?? inode.gid;
		inode.ctimeNs = this.#now();
	}

	async utimens(target: Target, times: {atime: TimeChange; mtime: TimeChange}): Promise<void> {
		const inode = this.#at(target);
		const now = this.#now();
		const changed = (change: TimeChange, current: bigint) =>
			change === 'omit' ? current : change === 'now' ? now : change;
		inode.atimeNs = changed(times.atime, inode.atimeNs);
		inode.mtimeNs = changed(times.mtime, inode.mtimeNs);
		inode.ctimeNs = now;
	}

	async listxattr(path: string): Promise<string[]> {
		return [...this.#tree.get(path).xattrs.keys()];
	}

	async getxattr(path: string, name: string): Promise<Uint8Array | undefined> {
		return this.#tree.get(path).xattrs.get(name);
	}

	async setxattr(path: string, name: string, value: Uint8Array, mode: 'create' | 'replace' | 'either'): Promise<void> {
		const inode = this.#tree.get(path);
		setXattr(inode, name, value, mode);
		inode.ctimeNs = this.#now();
	}

	async removexattr(path: string, name: string): Promise<void> {
		const inode = this.#tree.get(path);
		if (!inode.xattrs.delete(name)) {
			return fail('ENODATA', name);
		}

		inode.ctimeNs = this.#now();
	}

	async mkdir(path: string, permissions: number, caller: Caller): Promise<void> {
		this.#tree.link(path, this.#tree.create('directory', permissions, caller));
	}

	async rmdir(path: string): Promise<void> {
		const inode = this.#tree.get(path);
		if (inode.kind !== 'directory') {
			return fail('ENOTDIR', path);
		}

		if (path === '') {
			return fail('EBUSY', path);
		}

		if (inode.entries.size > 0) {
			return fail('ENOTEMPTY', path);
		}

		this.#tree.unlink(path);
	}

	async unlink(path: string): Promise<void> {
		if (this.#tree.get(path).kind === 'directory') {
			return fail('EISDIR', path);
		}

		this.#tree.unlink(path);
	}

	async symlink(target: string, path: string, caller: Caller): Promise<void> {
		this.#tree.link(path, this.#tree.create('symlink', 0o777, caller, {target}));
	}

	async readlink(path: string): Promise<string> {
		const inode = this.#tree.get(path);
		return inode.kind === 'symlink' ? inode.target : fail('EINVAL', path);
	}

	async mknod(
		path: string,
		entry: {kind: EntryKind; permissions: number; rdev: number},
		caller: Caller,
	): Promise<void> {
		this.#tree.link(path, this.#tree.create(entry.kind, entry.permissions, caller, {rdev: entry.rdev}));
	}

	async rename(
		from: string,
		to: string,
		options: {noReplace?: boolean; exchange?: boolean; whiteout?: boolean} = {},
	): Promise<void> {
		this.#tree.rename(from, to, options);
	}

	async opendir(path: string): Promise<Handle> {
		const inode = this.#tree.get(path);
		if (inode.kind !== 'directory') {
			return fail('ENOTDIR', path);
		}

		this.#directories.set(++this.#handleLast, {inode, entries: []});
		return this.#handleLast;
	}

	/** A walk sees the directory as it was when it began: what is added or removed meanwhile moves nothing. */
	async readdir(handle: Handle, offset: number): Promise<DirectoryEntry[]> {
		const directory = this.#directories.get(handle) ?? fail('EBADF', `handle ${handle}`);
		if (offset === 0) {
			const special = [
				{name: '.', kind: 'directory'},
				{name: '..', kind: 'directory'},
			] as const;
			const named = [...directory.inode.entries].map(([name, entry]) => ({name, kind: entry.kind}));
			directory.entries = [...special, ...named].map((entry, index) => ({...entry, nextOffset: index + 1}));
		}

		return directory.entries.slice(offset, offset + 1000);
	}

	async releasedir(handle: Handle): Promise<void> {
		this.#directories.delete(handle);
	}

	async fsyncdir(_handle: Handle): Promise<void> {}

	status(): FileSystemStatus {
		return {
			openHandles: this.#files.size,
			dirtyBytes: 0,
			uploadsPending: 0,
			uploadsFailed: 0,
			conflicts: 0,
			cacheBytes: 0,
			stagingBytes: 0,
		};
	}

	async drain(): Promise<void> {}

	async warmUp(): Promise<WarmUpProgress> {
		return {files: 0, bytes: 0, skippedFiles: 0, failedFiles: 0};
	}

	async close(): Promise<void> {}

	/** An existing inode, by name or by handle. */
	#at(target: Target): MemoryInode {
		return 'path' in target ? this.#tree.get(target.path) : this.#file(target.handle).inode;
	}

	#file(handle: Handle): OpenFile {
		return this.#files.get(handle) ?? fail('EBADF', `handle ${handle}`);
	}

	#resize(inode: MemoryInode, sizeBytes: number): void {
		if (sizeBytes > memoryFileBytesMax) {
			return fail('EFBIG', 'a file');
		}

		resize(inode, sizeBytes);
		this.#touchContent(inode);
	}

	#touchContent(inode: MemoryInode): void {
		inode.mtimeNs = this.#now();
		inode.ctimeNs = inode.mtimeNs;
	}
}
