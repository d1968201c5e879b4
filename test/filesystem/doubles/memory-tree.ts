import {isEntryName, isWithin, nameBytesMax, nameOf, parentOf} from '../../../src/model/object-key.ts';
import type {Caller, EntryKind} from '../../../src/filesystem/filesystem.ts';
import {fail, type MemoryInode} from './memory-inode.ts';

/** The names of a `MemoryFileSystem`: which path leads to which inode, and the rules of rename(2). */
export class MemoryTree {
	readonly #now: () => bigint;
	readonly #root: MemoryInode;

	constructor(now: () => bigint) {
		this.#now = now;
		this.#root = this.create('directory', 0o755, {uid: 0, gid: 0});
	}

	create(
		kind: EntryKind,
		permissions: number,
		caller: Caller,
		details: {rdev?: number; target?: string} = {},
	): MemoryInode {
		const now = this.#now();
		return {
			kind,
			permissions,
			uid: caller.uid,
			gid: caller.gid,
			rdev: details.rdev ?? 0,
			nlink: 1,
			mtimeNs: now,
			atimeNs: now,
			ctimeNs: now,
			data: Buffer.alloc(0),
			sizeBytes: 0,
			entries: new Map(),
			target: details.target ?? '',
			xattrs: new Map(),
		};
	}

	/** What is at a path; `undefined` when only its last component is missing. */
	find(path: string): MemoryInode | undefined {
		if (path === '') {
			return this.#root;
		}

		const parent = this.get(parentOf(path));
		const name = nameOf(path);
		if (parent.kind !== 'directory') {
			return fail('ENOTDIR', path);
		}

		return isEntryName(name)
			? parent.entries.get(name)
			: fail(Buffer.byteLength(name) > nameBytesMax ? 'ENAMETOOLONG' : 'ENOENT', path);
	}

	get(path: string): MemoryInode {
		return this.find(path) ?? fail('ENOENT', path);
	}

	/** A new inode gets its name. */
	link(path: string, inode: MemoryInode): void {
		if (this.find(path) !== undefined) {
			return fail('EEXIST', path);
		}

		const parent = this.get(parentOf(path));
		if ((parent.permissions & setGroupId) !== 0) {
			inode.gid = parent.gid;
			inode.permissions |= inode.kind === 'directory' ? setGroupId : 0;
		}

		parent.entries.set(nameOf(path), inode);
		this.#touch(parent);
	}

	unlink(path: string): void {
		const parent = this.get(parentOf(path));
		this.#drop(this.get(path));
		parent.entries.delete(nameOf(path));
		this.#touch(parent);
	}

	rename(from: string, to: string, options: {noReplace?: boolean; exchange?: boolean; whiteout?: boolean}): void {
		const moved = this.get(from);
		const replaced = this.find(to);
		if (from === '' || to === '') {
			return fail('EBUSY', to);
		}

		if (options.whiteout === true || (options.exchange === true && options.noReplace === true)) {
			return fail('EINVAL', to);
		}

		if (options.noReplace === true && replaced !== undefined) {
			return fail('EEXIST', to);
		}

		if (
			from !== to &&
			((isWithin(to, from) && moved.kind === 'directory') || (options.exchange === true && isWithin(from, to)))
		) {
			return fail('EINVAL', to);
		}

		if (moved === replaced) {
			return;
		}

		const [source, destination] = [this.get(parentOf(from)), this.get(parentOf(to))];
		if (options.exchange === true) {
			source.entries.set(nameOf(from), replaced ?? fail('ENOENT', to));
			destination.entries.set(nameOf(to), moved);
		} else {
			if (replaced !== undefined) {
				assertReplaceable(to, moved, replaced);
				this.#drop(replaced);
			}

			source.entries.delete(nameOf(from));
			destination.entries.set(nameOf(to), moved);
		}

		this.#touch(source);
		this.#touch(destination);
		moved.ctimeNs = this.#now();
	}

	#drop(inode: MemoryInode): void {
		inode.nlink = 0;
		inode.ctimeNs = this.#now();
	}

	#touch(inode: MemoryInode): void {
		inode.mtimeNs = this.#now();
		inode.ctimeNs = inode.mtimeNs;
	}
}

const assertReplaceable = (to: string, moved: MemoryInode, replaced: MemoryInode): void => {
	if (replaced.kind === 'directory' && moved.kind !== 'directory') {
		fail('EISDIR', to);
	}

	if (replaced.kind !== 'directory' && moved.kind === 'directory') {
		fail('ENOTDIR', to);
	}

	if (replaced.entries.size > 0) {
		fail('ENOTEMPTY', to);
	}
};

const setGroupId = 0o2000;
