import {compareKeys} from '../../model/object-key.ts';

/** A place in the index; valid until the next change. */
type Position = {leaf: number; offset: number};

/** Leaves split at this size: small enough that an insert moves little, large enough that there are few leaves. */
const leafCountMax = 512;

/**
A sorted set of keys in S3's order (bytes of UTF-8). Two levels are enough: a million keys are 4,000 leaves, so an
insert costs two binary searches and moving a few hundred pointers.
*/
export class KeyIndex {
	// No leaf is empty, and every key of a leaf is smaller than those of the next.
	readonly #leaves: string[][] = [];
	#count = 0;

	get count(): number {
		return this.#count;
	}

	add(key: string): void {
		const {leaf, offset} = this.#find(candidate => compareKeys(candidate, key) < 0);
		if (this.#leaves[leaf]?.[offset] === key) {
			return;
		}

		this.#count++;
		// Past the last key: the last leaf grows.
		const target = leaf === this.#leaves.length ? leaf - 1 : leaf;
		const keys = this.#leaves[target];
		if (keys === undefined) {
			this.#leaves.push([key]);
			return;
		}

		keys.splice(target === leaf ? offset : keys.length, 0, key);
		if (keys.length > leafCountMax) {
			// Keys often come in order: a full last leaf is left nearly full.
			const isLast = target === this.#leaves.length - 1;
			this.#leaves.splice(target + 1, 0, keys.splice(isLast ? leafCountMax - 32 : leafCountMax / 2));
		}
	}

	remove(key: string): void {
		const {leaf, offset} = this.#find(candidate => compareKeys(candidate, key) < 0);
		const keys = this.#leaves[leaf];
		if (keys?.[offset] !== key) {
			return;
		}

		this.#count--;
		keys.splice(offset, 1);
		if (keys.length === 0) {
			this.#leaves.splice(leaf, 1);
		}
	}

	/** A cursor at the first key that is not smaller than this one. */
	seek(key: string): KeyCursor {
		return new KeyCursor(
			this.#leaves,
			this.#find(candidate => compareKeys(candidate, key) < 0),
		);
	}

	/** A cursor at the first key behind all that begin with this prefix. */
	seekPast(prefix: string): KeyCursor {
		return new KeyCursor(
			this.#leaves,
			this.#find(candidate => candidate.startsWith(prefix) || compareKeys(candidate, prefix) < 0),
		);
	}

	/** The first place whose key is not before the wanted one; `isBefore` is true for a first run of keys only. */
	#find(isBefore: (key: string) => boolean): Position {
		let low = 0;
		let high = this.#leaves.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			const keys = this.#leaves[middle]!;
			if (isBefore(keys[keys.length - 1]!)) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}

		const leaf = low;
		const keys = this.#leaves[leaf];
		if (keys === undefined) {
			return {leaf, offset: 0};
		}

		low = 0;
		high = keys.length - 1; // The last key is known not to be before.
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (isBefore(keys[middle]!)) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}

		return {leaf, offset: low};
	}
}

/** Walks the index upwards; must not be kept across a change. */
export class KeyCursor {
	readonly #leaves: readonly string[][];
	readonly #position: Position;

	constructor(leaves: readonly string[][], position: Position) {
		this.#leaves = leaves;
		this.#position = position;
	}

	/** The key here, or `undefined` at the end. */
	get key(): string | undefined {
		return this.#leaves[this.#position.leaf]?.[this.#position.offset];
	}

	next(): void {
		this.#position.offset++;
		if (this.#position.offset === this.#leaves[this.#position.leaf]?.length) {
			this.#position.leaf++;
			this.#position.offset = 0;
		}
	}
}
