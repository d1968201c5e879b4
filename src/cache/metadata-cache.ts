import {BoundedMap} from '../model/bounded-map.ts';
import {isWithin, parentOf, nameOf} from '../model/object-key.ts';
import type {ListedObject, ObjectHead} from '../store/object-store.ts';
import {type AttributeCache, noAttributeCache} from './attribute-cache.ts';

/** What is known of a path. */
export type KnownEntry =
	| {readonly state: 'absent'}
	/** An object with all its attributes. */
	| {readonly state: 'object'; readonly head: ObjectHead}
	/** An object that a listing named: its attributes are not known. */
	| {readonly state: 'listed'; readonly object: ListedObject}
	/**
	A directory; `marker` is its marker object, `undefined` when it has none, `unknown` when only a listing named it.
	*/
	| {readonly state: 'directory'; readonly marker: ObjectHead | undefined | 'unknown'};

/** The order of reads and changes: an answer is only believed when nothing changed since it was asked for. */
export type ReadToken = number;

type Slot = {readonly entry: KnownEntry; readonly expiresAtMs: number};

/** What this node made of a path; `undefined` when that has to be asked. */
type Change = {readonly entry: KnownEntry | undefined; readonly token: ReadToken};

/** All names of a directory, and which of them are directories. */
export type ListedNames = ReadonlyMap<string, boolean>;

type Listing = {
	/** As it was recorded. */
	readonly source: ListedNames;
	/** With what this node changed since. */
	readonly names: Map<string, boolean>;
	readonly expiresAtMs: number;
};

/**
Attributes and listings for at most `ttlMs`, and what this node changed itself at once. Bounded: the oldest entries
are dropped first.

S3 is strongly consistent, but answers overtake our own changes: a listing that was asked for before a file was
made may arrive after it and does not have the file. So each request takes a token before it is sent, and its
answer is dropped for every path that was changed since.
*/
export class MetadataCache {
	readonly #ttlMs: number;
	readonly #entryCountMax: number;
	readonly #now: () => number;
	readonly #attributes: AttributeCache;
	readonly #entries: BoundedMap<string, Slot>;
	readonly #listings: BoundedMap<string, Listing>;
	readonly #changes = new BoundedMap<string, Change>({countMax: changeCountMax});
	/** Directories below which everything was changed. */
	readonly #treeChanges = new BoundedMap<string, ReadToken>({countMax: changeCountMax});
	#sequence = 0;
	/** Answers older than this are dropped for every path. */
	#floor = 0;

	constructor(options: {
		ttlMs: number;
		entryCountMax?: number;
		now: () => number;
		/** What outlasts both this cache and its time to live, as it is checked with each listing. */
		attributes?: AttributeCache | undefined;
	}) {
		this.#attributes = options.attributes ?? noAttributeCache;
		this.#ttlMs = options.ttlMs;
		this.#entryCountMax = options.entryCountMax ?? 100_000;
		this.#now = options.now;
		this.#entries = new BoundedMap({countMax: this.#entryCountMax});
		this.#listings = new BoundedMap({countMax: this.#entryCountMax, countOf: ({names}) => Math.max(1, names.size)});
	}

	/** How long an answer is good. */
	get ttlMs(): number {
		return this.#ttlMs;
	}

	/** Milliseconds that only ever grow. */
	nowMs(): number {
		return this.#now();
	}

	/** To be taken before a request is sent. */
	beginRead(): ReadToken {
		return this.#sequence;
	}

	get(path: string): KnownEntry | undefined {
		const now = this.#now();
		const slot = this.#entries.get(path);
		if (slot !== undefined) {
			if (slot.expiresAtMs > now) {
				return slot.entry;
			}

			this.#entries.delete(path);
		}

		const listing = path === '' ? undefined : this.#listings.get(parentOf(path));
		return listing !== undefined && listing.expiresAtMs > now && !listing.names.has(nameOf(path))
			? {state: 'absent'}
			: undefined;
	}

	/**
	What this node changed at the path since then, so that an answer of a request may be of before: what it made, or
	`{entry: undefined}` when S3 has to be asked again. `undefined` when it changed nothing there.
	*/
	changeSince(path: string, token: ReadToken): {readonly entry: KnownEntry | undefined} | undefined {
		if (this.#isTreeChangedSince(path, token)) {
			return {entry: undefined};
		}

		const change = this.#changes.get(path);
		return change !== undefined && change.token > token ? change : undefined;
	}

	/** Remembers the answer of a request. Where a listing named a version whose attributes are known, so are they. */
	record(path: string, entry: KnownEntry, token: ReadToken): void {
		const head = entry.state === 'object' ? entry.head : entry.state === 'directory' ? entry.marker : undefined;
		if (head !== undefined && head !== 'unknown') {
			this.#attributes.note(head);
		}

		if (this.changeSince(path, token) === undefined) {
			const found = entry.state === 'listed' ? this.#attributes.find(entry.object) : undefined;
			this.#store(path, found === undefined ? entry : {state: 'object', head: found});
		}
	}

	/** All that HEAD once said of the version that a listing names; `undefined` when it has to be asked. */
	attributesOf(object: ListedObject): ObjectHead | undefined {
		return this.#attributes.find(object);
	}

	/** Whether HEAD was once asked for the key, so that a listing may tell its attributes. */
	hasAttributes(key: string): boolean {
		return this.#attributes.has(key);
	}

	/**
	Remembers that a directory had these names and no others when the listing began. Large directories are not
	remembered: they would take too much memory.
	*/
	recordListing(
		directory: string,
		names: ListedNames,
		{token, beganAtMs}: {token: ReadToken; beganAtMs: number},
	): void {
		const expiresAtMs = beganAtMs + this.#ttlMs;
		const known = this.#listings.get(directory);
		if (
			expiresAtMs <= this.#now() ||
			names.size > this.#entryCountMax / 10 ||
			(known?.source === names && known.expiresAtMs === expiresAtMs) ||
			this.changeSince(`${directory}/`, token) !== undefined
		) {
			return;
		}

		this.#listings.set(directory, {source: names, names: new Map(names), expiresAtMs});
	}

	/** The names that a directory had when it was listed last, if that is too long ago to be believed. */
	outdatedNames(directory: string): ListedNames | undefined {
		const listing = this.#listings.get(directory);
		return listing !== undefined && listing.expiresAtMs <= this.#now() ? listing.names : undefined;
	}

	/** A directory turned out to have too many names. */
	forgetListing(directory: string): void {
		this.#listings.delete(directory);
	}

	/** This node changed the path: what it is now, or `undefined` when that has to be asked. */
	change(path: string, entry: KnownEntry | undefined): void {
		this.#sequence++;
		this.#noteChange(path, entry);
		this.#nameChanged(path, entry);
		if (entry === undefined) {
			this.#entries.delete(path);
		} else {
			this.#store(path, entry);
		}
	}

	/** This node changed everything below a directory: nothing of it is known any more. */
	changeTree(directory: string): void {
		this.#sequence++;
		for (const [, token] of this.#treeChanges.set(directory, this.#sequence)) {
			this.#floor = Math.max(this.#floor, token);
		}

		this.#nameChanged(directory, undefined);
		for (const path of this.#entries.keys()) {
			if (isWithin(path, directory)) {
				this.#entries.delete(path);
			}
		}

		for (const listed of this.#listings.keys()) {
			if (isWithin(listed, directory)) {
				this.#listings.delete(listed);
			}
		}
	}

	/** Forgets what is known of a path, so that the next look-up asks. */
	forget(path: string): void {
		this.#entries.delete(path);
		this.#noteName(path, undefined);
	}

	/** So does a change of a directory above change a path. */
	#isTreeChangedSince(path: string, token: ReadToken): boolean {
		let isChanged = token < this.#floor;
		for (let tree = path; tree !== '' && !isChanged; tree = parentOf(tree)) {
			isChanged = (this.#treeChanges.get(tree) ?? 0) > token;
		}

		return isChanged;
	}

	/** Changes of the names in a directory are remembered under its path with a slash. */
	#nameChanged(path: string, entry: KnownEntry | undefined): void {
		this.#noteChange(`${parentOf(path)}/`, undefined);
		this.#noteName(path, entry);
	}

	/** All other names of the directory are still what the listing said. */
	#noteName(path: string, entry: KnownEntry | undefined): void {
		const directory = parentOf(path);
		const listing = this.#listings.get(directory);
		if (listing === undefined) {
			return;
		}

		this.#listings.delete(directory); // It is counted anew.
		const {names} = listing;
		if (entry?.state === 'absent') {
			names.delete(nameOf(path));
		} else {
			names.set(nameOf(path), entry?.state === 'directory');
		}

		if (names.size <= this.#entryCountMax / 10) {
			this.#listings.set(directory, listing);
		}
	}

	#noteChange(path: string, entry: KnownEntry | undefined): void {
		for (const [, {token}] of this.#changes.set(path, {entry, token: this.#sequence})) {
			this.#floor = Math.max(this.#floor, token);
		}
	}

	#store(path: string, entry: KnownEntry): void {
		this.#entries.set(path, {entry, expiresAtMs: this.#now() + this.#ttlMs});
	}
}

const changeCountMax = 20_000;
