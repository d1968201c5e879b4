/** A map that forgets its oldest entries when it has more than `countMax`; an entry that is set again is the newest. */
export class BoundedMap<Key, Value extends object | string | number | boolean | symbol> {
	readonly #entries = new Map<Key, Value>();
	readonly #countMax: number;
	readonly #countOf: (value: Value) => number;
	#count = 0;

	/** Each entry counts as one, unless `countOf` says otherwise: the names of a listing, for example. */
	constructor(options: {countMax: number; countOf?: (value: Value) => number}) {
		this.#countMax = options.countMax;
		this.#countOf = options.countOf ?? (() => 1);
	}

	get(key: Key): Value | undefined {
		return this.#entries.get(key);
	}

	has(key: Key): boolean {
		return this.#entries.has(key);
	}

	keys(): IterableIterator<Key> {
		return this.#entries.keys();
	}

	/** Returns the entries that had to go. */
	set(key: Key, value: Value): ReadonlyArray<readonly [Key, Value]> {
		this.delete(key);
		this.#entries.set(key, value);
		this.#count += this.#countOf(value);
		return this.#count > this.#countMax ? this.#dropOldest() : [];
	}

	delete(key: Key): boolean {
		const value = this.#entries.get(key);
		if (value !== undefined) {
			this.#count -= this.#countOf(value);
		}

		return this.#entries.delete(key);
	}

	#dropOldest(): Array<readonly [Key, Value]> {
		const dropped: Array<readonly [Key, Value]> = [];
		for (const entry of this.#entries) {
			if (this.#count <= this.#countMax) {
				break;
			}

			this.delete(entry[0]);
			dropped.push(entry);
		}

		return dropped;
	}
}
