import {BoundedMap} from '../model/bounded-map.ts';
import {isWithin} from '../model/object-key.ts';

/**
Which version (etag) of each path the kernel's pages are of: an open keeps them only when they are of the version that
it opens. The kernel drops a file's pages only at an open that says so.
*/
export class KernelPages {
	readonly #etags: BoundedMap<string, string>;

	constructor({countMax = 100_000}: {countMax?: number} = {}) {
		this.#etags = new BoundedMap({countMax});
	}

	/** Whether the pages of a path are of this version. */
	has(path: string, etag: string): boolean {
		return this.#etags.get(path) === etag;
	}

	/** The pages are of this version: the kernel dropped those of before, or wrote the bytes itself, or keeps them. */
	note(path: string, etag: string): void {
		this.#etags.set(path, etag);
	}

	/** A version has the same bytes as the one before. */
	replaced(path: string, before: string, after: string): void {
		if (this.#etags.get(path) === before) {
			this.#etags.set(path, after);
		}
	}

	/** The pages go with the name, if they are of the version that was moved. */
	moved(from: {path: string; etag: string}, to: {path: string; etag: string}): void {
		const hasPages = this.#etags.get(from.path) === from.etag;
		this.#etags.delete(from.path);
		this.#etags.delete(to.path);
		if (hasPages) {
			this.#etags.set(to.path, to.etag);
		}
	}

	forget(path: string): void {
		this.#etags.delete(path);
	}

	forgetTree(directory: string): void {
		for (const path of this.#etags.keys()) {
			if (isWithin(path, directory)) {
				this.#etags.delete(path);
			}
		}
	}
}
