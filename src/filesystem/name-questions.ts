import type {KnownEntry, ListedNames, MetadataCache} from '../cache/metadata-cache.ts';
import {BoundedMap} from '../model/bounded-map.ts';
import {nameOf, parentOf} from '../model/object-key.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ListPage, ObjectHead, ObjectStore} from '../store/object-store.ts';
import type {AttributeDefaults} from './attributes.ts';
import {noteFlatListing, noteListing} from './note-listing.ts';

/** Asks S3 what a path is. What the answers say of other names goes into the cache. */
export class NameQuestions {
	readonly #store: Pick<ObjectStore, 'head' | 'list'>;
	readonly #cache: MetadataCache;
	readonly #isUniform: boolean;
	/** When a name of a directory was last asked for. */
	readonly #askedAtMs = new BoundedMap<string, number>({countMax: 1000});

	constructor({
		store,
		cache,
		defaults,
	}: {
		store: Pick<ObjectStore, 'head' | 'list'>;
		cache: MetadataCache;
		defaults: AttributeDefaults;
	}) {
		this.#store = store;
		this.#cache = cache;
		this.#isUniform = defaults.attributes === 'uniform';
	}

	/** A path of which nothing is known. */
	async ask(path: string): Promise<KnownEntry> {
		const directory = parentOf(path);
		const names = this.#cache.outdatedNames(directory);
		if (names === undefined || !this.#isWorthListing(directory, names)) {
			return this.#askForName(path);
		}

		return (await this.#askByListing(path, names)) ?? this.#askForName(path);
	}

	/** A path that did not exist a moment ago: it is not likely to have a marker. */
	async askOfAbsent(path: string): Promise<KnownEntry> {
		const [head, below] = await Promise.all([
			this.#store.head(path),
			this.#store.list({prefix: `${path}/`, countMax: 1}),
		]);
		if (below.objects.length > 0) {
			return this.#askForName(path);
		}

		return head === undefined ? {state: 'absent'} : {state: 'object', head};
	}

	/**
	Whether its object is there, whether anything lies below a directory of its name, and what the marker of that says,
	all at once. The first keys below the directory come along, so that the next steps of a path are known.
	*/
	async #askForName(path: string): Promise<KnownEntry> {
		const markerKey = `${path}/`;
		const asked = this.#begin();
		const [head, marker, below] = await Promise.all([
			this.#store.head(path),
			this.#headMarker(markerKey),
			this.#store.list({prefix: markerKey, countMax: keyCountAhead}),
		]);
		if (marker !== undefined || below.objects.some(({key}) => key !== markerKey)) {
			noteFlatListing(this.#cache, path, below, asked);
			return {state: 'directory', marker};
		}

		return head === undefined ? {state: 'absent'} : {state: 'object', head};
	}

	/** The longest name that a file can have leaves no room for the slash of a marker. */
	async #headMarker(key: string): Promise<ObjectHead | undefined> {
		try {
			return await this.#store.head(key);
		} catch (error) {
			if (isStoreError(error, 'keyTooLong')) {
				return undefined;
			}

			throw error;
		}
	}

	/**
	A directory whose names were known a moment ago is listed again: one answer for all of its names. `undefined` when it
	has too many of them by now.
	*/
	async #askByListing(path: string, before: ListedNames): Promise<KnownEntry | undefined> {
		const directory = parentOf(path);
		const wasDirectory = before.get(nameOf(path));
		const asked = this.#begin();
		const keyOf = (isDirectory: boolean): string => (isDirectory ? `${path}/` : path);
		const [page, expected] = await Promise.all([
			this.#store.list({prefix: directory === '' ? '' : `${directory}/`, delimiter: '/'}),
			wasDirectory === undefined || this.#isUniform || (!wasDirectory && this.#cache.hasAttributes(path))
				? undefined
				: this.#store.head(keyOf(wasDirectory)),
		]);
		if (page.continuationToken !== undefined) {
			this.#cache.forgetListing(directory);
			return undefined;
		}

		const listed = noteListing(this.#cache, directory, page, asked.token);
		this.#cache.recordListing(directory, new Map(listed.map(entry => [nameOf(entry.path), entry.isDirectory])), asked);
		return this.#readPage(path, page, async isDirectory =>
			isDirectory === wasDirectory && expected !== undefined ? expected : this.#store.head(keyOf(isDirectory)),
		);
	}

	async #readPage(
		path: string,
		{objects, prefixes}: ListPage,
		head: (isDirectory: boolean) => ReturnType<ObjectStore['head']>,
	): Promise<KnownEntry> {
		if (prefixes.includes(`${path}/`)) {
			return {state: 'directory', marker: this.#isUniform ? 'unknown' : await head(true)};
		}

		const object = objects.find(({key}) => key === path);
		if (object === undefined) {
			return {state: 'absent'};
		}

		if (this.#isUniform) {
			return {state: 'listed', object};
		}

		const found = this.#cache.attributesOf(object) ?? (await head(false));
		return found === undefined ? {state: 'absent'} : {state: 'object', head: found};
	}

	/** A large directory is listed for its names only when somebody asks for several of them. */
	#isWorthListing(directory: string, names: ListedNames): boolean {
		const nowMs = this.#cache.nowMs();
		const isAskedAgain = (this.#askedAtMs.get(directory) ?? -Infinity) > nowMs - 2 * this.#cache.ttlMs;
		this.#askedAtMs.set(directory, nowMs);
		return names.size <= keyCountAhead || (isAskedAgain && names.size < pageCountMax);
	}

	#begin(): {token: number; beganAtMs: number} {
		return {token: this.#cache.beginRead(), beganAtMs: this.#cache.nowMs()};
	}
}

/** What a small directory has, or the beginning of a large one: an answer of about 30 KB. */
const keyCountAhead = 100;

/** Of S3. */
const pageCountMax = 1000;
