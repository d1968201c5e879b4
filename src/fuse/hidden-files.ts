import {setTimeout as delay} from 'node:timers/promises';
import type {FileSystem, Handle, OpenFlags, OpenResult} from '../filesystem/filesystem.ts';
import {FsError, isFsError} from '../model/fs-error.ts';
import {isWithin, nameOf, parentOf} from '../model/object-key.ts';
import type {callingSyscall} from './calling-syscall.ts';
import type {FuseLog} from './fuse-log.ts';

type HiddenFile = {
	/** Ours: keeps the file reachable for calls that come with a name only (fstat, fchmod). */
	readonly handle: Handle;
	/** Where libfuse believes it to be; follows renames of directories. */
	directory: string;
};

type UndecidedRemoval = {readonly path: string; isCancelled: boolean; readonly decided: Promise<void>};

/** Made by libfuse (fuse.c: hidden_name): the node's number and a counter. */
const hiddenNamePattern = /^\.fuse_hidden[\da-f]{16}$/;

/** A rename that replaces a file follows its hiding at once, on the same thread of libfuse. */
const decisionDelayMs = 10;

/**
libfuse wants a name for every file that is open: when the last name of an open file is removed or replaced, it renames
the file to `.fuse_hidden…` first, and deletes that after the last close. `FileSystem` keeps open files without a name,
so here such a rename becomes what the program asked for, and the hidden names exist for libfuse alone: nothing of
them gets into the bucket. (libfuse's `hard_remove` would lose fstat and fchmod of such files, and cannot be asked for.)

The rename does not say whether an unlink or a replacing rename is behind it. A replacement must not delete the old
file first, so the call that the program waits in decides. Where that cannot be seen, we wait for the moment in
which the rename would follow; the failure of such an unlink can only be logged.
*/
export class HiddenFiles {
	readonly #fileSystem: FileSystem;
	readonly #callingSyscall: typeof callingSyscall;
	readonly #log: FuseLog;
	readonly #hidden = new Map<string, HiddenFile>();
	readonly #undecided = new Set<UndecidedRemoval>();
	/** Of our handles: how many have yet to be released, by us or by those that `open` gave them to. */
	readonly #useCounts = new Map<Handle, number>();

	constructor(options: {fileSystem: FileSystem; callingSyscall: typeof callingSyscall; log: FuseLog}) {
		this.#fileSystem = options.fileSystem;
		this.#callingSyscall = options.callingSyscall;
		this.#log = options.log;
	}

	/** Whether this rename is libfuse's way to remove the name of an open file. */
	isHiding(from: string, to: string): boolean {
		return hiddenNamePattern.test(nameOf(to)) && parentOf(from) === parentOf(to) && !this.#hidden.has(nameOf(to));
	}

	/** The handle of a file that libfuse believes to be at this path. */
	handleOf(path: string): Handle | undefined {
		return this.#hidden.size === 0 ? undefined : this.#hidden.get(nameOf(path))?.handle;
	}

	/**
	Opens any file. One that was hidden between the kernel's look-up of its name and this is opened all the same, as on a
	local disk; for writing, or when it is gone by now, that is ESTALE: the kernel looks the name up once more. (A second
	replacement in the same few milliseconds reaches the program as ESTALE.)
	*/
	async open(path: string, flags: OpenFlags): Promise<OpenResult> {
		const handle = this.handleOf(path);
		if (handle !== undefined && !flags.write) {
			this.#useCounts.set(handle, (this.#useCounts.get(handle) ?? 0) + 1);
			const {sizeBytes} = await this.#fileSystem.getattr({handle});
			return {handle, sizeBytes, keepsPages: () => false};
		}

		try {
			return await this.#fileSystem.open(path, flags);
		} catch (error) {
			throw isFsError(error, 'ENOENT') && hiddenNamePattern.test(nameOf(path))
				? new FsError('ESTALE', 'Cannot open a file that was deleted or replaced just now', {cause: error})
				: error;
		}
	}

	/** Releases any handle; one of ours when nobody uses it any more. */
	async release(handle: Handle): Promise<void> {
		const count = this.#useCounts.get(handle) ?? 1;
		if (count > 1) {
			this.#useCounts.set(handle, count - 1);
			return;
		}

		this.#useCounts.delete(handle);
		await this.#fileSystem.release(handle);
	}

	/** Removes the name of an open file, unless a rename is about to replace it. */
	async hide(path: string, hiddenPath: string, threadId: number): Promise<void> {
		const flags = {read: true, write: false, append: false, truncate: false, create: false, exclusive: false};
		const {handle} = await this.#fileSystem.open(path, flags);
		this.#useCounts.set(handle, 1);
		this.#hidden.set(nameOf(hiddenPath), {handle, directory: parentOf(hiddenPath)});
		try {
			switch (await this.#callingSyscall(threadId)) {
				case 'unlink': {
					await this.#fileSystem.unlink(path);
					break;
				}

				case 'rename': {
					break;
				}

				case undefined: {
					this.#unlinkUnlessReplaced(path);
				}
			}
		} catch (error) {
			await this.forget(hiddenPath);
			throw error;
		}
	}

	/** libfuse deletes the hidden name after the last close. False when there is no such hidden file. */
	async forget(hiddenPath: string): Promise<boolean> {
		const file = this.#hidden.get(nameOf(hiddenPath));
		if (file === undefined) {
			return false;
		}

		this.#hidden.delete(nameOf(hiddenPath));
		await this.release(file.handle);
		return true;
	}

	/** Call before any operation on a path: what is being removed there, or above, is removed after this. */
	async settle(path: string): Promise<void> {
		for (const removal of this.#undecided) {
			if (isWithin(removal.path, path)) {
				await removal.decided;
			}
		}
	}

	/** Whether `settle` has anything to wait for. */
	get isSettled(): boolean {
		return this.#undecided.size === 0;
	}

	/** Call before a rename: it replaces what is at its destination, so that needs no removal. */
	expectReplacement(path: string): void {
		for (const removal of this.#undecided) {
			removal.isCancelled ||= removal.path === path;
		}
	}

	/** Call after a rename: hidden files move with their directory. */
	follow(from: string, to: string): void {
		for (const file of this.#hidden.values()) {
			if (isWithin(file.directory, from)) {
				file.directory = to + file.directory.slice(from.length);
			}
		}
	}

	/** Call after rmdir: libfuse has lost the names of hidden files in there, and will not delete them. */
	async forgetBelow(directory: string): Promise<void> {
		for (const [name, file] of this.#hidden) {
			if (isWithin(file.directory, directory)) {
				await this.forget(name);
			}
		}
	}

	#unlinkUnlessReplaced(path: string): void {
		const decide = async (): Promise<void> => {
			await delay(decisionDelayMs);
			this.#undecided.delete(removal);
			if (!removal.isCancelled) {
				await this.#fileSystem.unlink(path).catch((error: unknown) => {
					this.#log.error({op: 'unlink', path, err: error}, 'cannot remove a file that was open');
				});
			}
		};

		const removal: UndecidedRemoval = {path, isCancelled: false, decided: decide()};
		this.#undecided.add(removal);
	}
}
