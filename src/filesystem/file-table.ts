import {FsError} from '../model/fs-error.ts';
import {isWithin, nameOf, parentOf} from '../model/object-key.ts';
import type {Handle} from './filesystem.ts';
import {type FileHandle, isOutdated, type OpenFile} from './open-file.ts';

/** The files that are open or have changes, by path, and the handles of the kernel. */
export class FileTable {
	readonly #files = new Map<string, OpenFile>();
	readonly #handles = new Map<Handle, FileHandle>();
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
		this.#files.set(path, file);
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
		handle?.file.handles.delete(handle);
		return handle;
	}

	/**
	Whether handles of another version of the path are open: of before the file was found changed elsewhere, or deleted
	there and made anew here.
	*/
	hasOtherVersionOpen(file: OpenFile): boolean {
		for (const handle of this.#handles.values()) {
			const isSamePath = handle.file === file || (handle.file.path === file.path && !handle.file.isUnlinked);
			if (isSamePath && (handle.file !== file || isOutdated(handle))) {
				return true;
			}
		}

		return false;
	}

	get handleCount(): number {
		return this.#handles.size;
	}
}
