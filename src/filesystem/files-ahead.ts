import type {MetadataCache} from '../cache/metadata-cache.ts';
import type {ObjectReader} from '../cache/object-reader.ts';
import {BoundedMap} from '../model/bounded-map.ts';
import {parentOf} from '../model/object-key.ts';
import type {ObjectHead, ObjectStore, ObjectVersion} from '../store/object-store.ts';
import {lookUpWithContent} from './look-up-with-content.ts';

/**
Has the questions for the next files of a directory bring their bytes along when a program reads one file after the
other: which files come next is known of the attributes that are asked for ahead. Only where an open may use what was
asked before it (`consistency: ttl`): otherwise each open asks by itself, and that answer brings the bytes of a small
file as well.
*/
export class FilesAhead {
	readonly #parts: {readonly store: ObjectStore; readonly reader: ObjectReader; readonly cache: MetadataCache};
	readonly #isOn: boolean;
	/** Directories of which a program has just opened a file to read it, and until when that counts. */
	readonly #readings = new BoundedMap<string, number>({countMax: 1000});
	/** Files whose bytes are there, or on their way, and that nobody has opened yet; until when they are good. */
	readonly #waiting = new Map<string, number>();

	constructor(
		parts: {readonly store: ObjectStore; readonly reader: ObjectReader; readonly cache: MetadataCache},
		{isOn}: {isOn: boolean},
	) {
		this.#parts = parts;
		this.#isOn = isOn;
	}

	/** A file is opened to be read. */
	opened(path: string): void {
		if (this.#isOn) {
			const {cache} = this.#parts;
			this.#readings.set(parentOf(path), cache.nowMs() + cache.ttlMs);
			this.#waiting.delete(path);
		}
	}

	/** What an object is now, as HEAD says; with its bytes where a program is likely to read them next. */
	async ask(key: string): Promise<ObjectHead | undefined> {
		const {store, cache} = this.#parts;
		const known = cache.get(key);
		const version = known?.state === 'listed' ? known.object : undefined;
		if (version === undefined || !this.#isWanted(version)) {
			return store.head(key);
		}

		this.#waiting.set(key, cache.nowMs() + cache.ttlMs);
		return lookUpWithContent(this.#parts, key, version);
	}

	#isWanted(version: ObjectVersion): boolean {
		const {cache, reader} = this.#parts;
		const nowMs = cache.nowMs();
		if (nowMs >= (this.#readings.get(parentOf(version.key)) ?? 0)) {
			return false;
		}

		for (const [path, untilMs] of this.#waiting) {
			if (untilMs > nowMs) {
				break;
			}

			this.#waiting.delete(path);
		}

		return this.#waiting.size < reader.aheadCountMax(version.sizeBytes) && reader.lacksWhole(version);
	}
}
