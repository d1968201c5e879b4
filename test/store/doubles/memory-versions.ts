import {compareKeys} from '../../../src/model/object-key.ts';
import type {ObjectHead} from '../../../src/store/object-store.ts';

export type StoredVersion = {
	readonly head: ObjectHead;
	/** `undefined` in a delete marker. */
	readonly bytes: Uint8Array | undefined;
};

/** All versions of all objects of a memory store. A bucket that is not versioned keeps the newest only. */
export class MemoryVersions {
	readonly isVersioned: boolean;
	readonly #versionsByKey = new Map<string, StoredVersion[]>();
	#sortedKeys: string[] | undefined;
	#versionCount = 0;

	constructor(isVersioned: boolean) {
		this.isVersioned = isVersioned;
	}

	/** The id that the next version gets. */
	nextVersionId(): string | undefined {
		return this.isVersioned ? `version-${++this.#versionCount}` : undefined;
	}

	/** The version asked for, or the newest; `undefined` when there is none or it is a delete marker. */
	find(key: string, versionId?: string): StoredVersion | undefined {
		const versions = this.#versionsByKey.get(key) ?? [];
		const version =
			versionId === undefined ? versions.at(-1) : versions.find(({head}) => (head.versionId ?? 'null') === versionId);
		return version?.bytes === undefined ? undefined : version;
	}

	add(version: StoredVersion): void {
		const {key} = version.head;
		const versions = this.#versionsByKey.get(key);
		if (versions === undefined) {
			this.#versionsByKey.set(key, [version]);
			this.#sortedKeys = undefined;
		} else if (this.isVersioned) {
			versions.push(version);
		} else {
			versions[0] = version;
		}
	}

	/** Only in a bucket that is not versioned; a versioned one adds a delete marker. */
	remove(key: string): void {
		if (this.#versionsByKey.delete(key)) {
			this.#sortedKeys = undefined;
		}
	}

	/** The keys that have a newest version, in S3's order, from the given one (or right after it) on. */
	*keysFrom({key, isAfter}: {key: string; isAfter: boolean}): Generator<string> {
		this.#sortedKeys ??= [...this.#versionsByKey.keys()].sort(compareKeys);
		const keys = this.#sortedKeys;
		let low = 0;
		let high = keys.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			const order = compareKeys(keys[middle]!, key);
			if (order < 0 || (isAfter && order === 0)) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}

		for (let index = low; index < keys.length; index++) {
			if (this.find(keys[index]!) !== undefined) {
				yield keys[index]!;
			}
		}
	}
}
