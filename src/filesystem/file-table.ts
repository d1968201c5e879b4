import {FsError} from '../model/fs-error.ts';
import {isWithin, nameOf, parentOf} from '../model/object-key.ts';
import type {Handle} from './filesystem.ts';
import type {FileHandle, OpenFile} from './open-file.ts';

/** The files that are open or have changes, by path, and the handles of the kernel. */
export class FileTable {
	readonly #files = new Map<string, OpenFile>();
	readonly #handles = new Map<Handle, FileHandle>();
	/** Files that are open under a path that is another file's now: they were deleted elsewhere, and made anew here. */
	readonly #displaced = new Map<string, Set<OpenFile>>();
	#nextHandle = 1;

	get(path: string): OpenFile | undefined {
		return this.#files.get(path);
	}

	/** The file of a path that has changes which S3 does not have: it is what this node shows. */
	changed(path: string): OpenFile | undefined {
		const file = this.#files.get(path);
		return file?.hasChanges === true ? file : undefined;
	}

	add(file: OpenFile): void {
		const before = this.#files.get(file.path);
		if (before !== undefined && before !== file && before.isOpen && !before.isUnlinked) {
			this.#displaced.set(file.path, (this.#displaced.get(file.path) ?? new Set()).add(before));
		}

		this.#files.set(file.path, file);
	}

	/** The path does not name the file any more. */
	detach(file: OpenFile): void {
		if (this.#files.get(file.path) === file) {
			this.#files.delete(file.path);
		}
	}

	/** The file has another name now. */
	move(file: OpenFile, path: string): void {
		this.detach(file);
		file.path = path;
		this.add(file);
	}

	/** Forgets a file that nobody has open and that S3 has as it is. */
	collect(file: OpenFile): void {
		if (file.handles.size === 0 && !file.hasChanges) {
			this.detach(file);
		}
	}

	/** Names of a directory that only this node knows. */
	localNames(directory: string): string[] {
		const names: string[] = [];
		for (const [path, file] of this.#files) {
			if (file.hasChanges && !file.isUnlinked && parentOf(path) === directory) {
				names.push(nameOf(path));
			}
		}

		return names;
	}

	/** Whether a directory has files that only this node knows. */
	hasChangedWithin(directory: string): boolean {
		return this.within(directory).some(file => file.hasChanges && !file.isUnlinked);
	}

	within(directory: string): OpenFile[] {
		return [...this.#files.values()].filter(file => isWithin(file.path, directory));
	}

	all(): OpenFile[] {
		return [...this.#files.values()];
	}

	addHandle(handle: FileHandle): Handle {
		const number = this.#nextHandle++;
		this.#handles.set(number, handle);
		handle.file.handles.add(handle);
		return number;
	}

	/** EBADF when there is no such handle. */
	handle(number: Handle): FileHandle {
		const handle = this.#handles.get(number);
		if (handle === undefined) {
			throw new FsError('EBADF', `No file is open with number ${number}`);
		}

		return handle;
	}

	removeHandle(number: Handle): FileHandle | undefined {
		const handle = this.#handles.get(number);
		this.#handles.delete(number);
		if (handle !== undefined) {
			handle.file.removeHandle(handle);
			this.#forgetDisplaced(handle.file);
		}

		return handle;
	}

	/**
	Whether handles of another version of the path are open: of before the file was found changed elsewhere, or deleted
	there and made anew here. Asked at each open, so it looks at no handle.
	*/
	hasOtherVersionOpen(file: OpenFile): boolean {
		return file.hasOutdatedHandles || this.#displaced.has(file.path);
	}

	/** The same, of handles that read. */
	hasOtherVersionRead(file: OpenFile): boolean {
		const displaced = [...(this.#displaced.get(file.path) ?? [])];
		return file.hasOutdatedReaders || displaced.some(({handles}) => [...handles].some(({flags}) => flags.read));
	}

	get handleCount(): number {
		return this.#handles.size;
	}

	#forgetDisplaced(file: OpenFile): void {
		const displaced = this.#displaced.get(file.path);
		if (!file.isOpen && displaced?.delete(file) === true && displaced.size === 0) {
			this.#displaced.delete(file.path);
		}
	}
}
