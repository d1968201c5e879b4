import type {SpaceAccount} from './space-account.ts';

/** The extents of a layer in the account of the staging area: they take memory, and room in its record. */
export class ExtentAccount {
	readonly #space: SpaceAccount;
	#count = 0;

	constructor(space: SpaceAccount) {
		this.#space = space;
	}

	/** Before a change that leaves so many at most. Fails with ENOSPC when there is no room for more of them. */
	reserve(count: number): void {
		if (count > this.#count) {
			this.#space.reserve((count - this.#count) * extentBytes);
			this.#count = count;
		}
	}

	/** So many there are now, also over the bound. */
	set(count: number): void {
		if (count > this.#count) {
			this.#space.adopt((count - this.#count) * extentBytes);
		} else {
			this.#space.release((this.#count - count) * extentBytes);
		}

		this.#count = count;
	}
}

/** In memory an extent takes up to 170 bytes, and in a record about 80. */
export const extentBytes = 256;
/** A layer of so many is full: its record has 10 MB, and each change in its middle moves 1 MB of memory. */
export const extentCountMax = 131_072;
