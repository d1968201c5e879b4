import type {KnownEntry, MetadataCache, ReadToken} from '../cache/metadata-cache.ts';
import {FsError} from '../model/fs-error.ts';
import {type Counter, type MetricSink, noMetrics} from '../model/metric-sink.ts';
import {isWithin, parentOf} from '../model/object-key.ts';
import type {ListPage, ListedObject, ObjectHead, ObjectStore} from '../store/object-store.ts';
import {AttributeWalk} from './attribute-walk.ts';
import {type AttributeDefaults, type FileAttributes, readAttributes} from './attributes.ts';
import {noteListing} from './note-listing.ts';
import {NameQuestions} from './name-questions.ts';
import type {KnownMarkers} from './known-markers.ts';
import {type Entry, toEntry} from './to-entry.ts';
import {type Asked, WalkListings} from './walk-listings.ts';

export type {Entry} from './to-entry.ts';

/**
Names in S3: which path is what. A name is a directory when any key begins with it and a slash, or its marker
`name/` exists; otherwise it is what the object of that key says. So a file never hides what lies below a directory of
the same name: the directory is shown, the object of that name is not reached.
*/
export class Namespace {
	readonly #store: Pick<ObjectStore, 'head' | 'list'>;
	readonly #cache: MetadataCache;
	readonly #defaults: AttributeDefaults;
	readonly #markers: KnownMarkers;
	readonly #lookupCount: Counter;
	readonly #missCount: Counter;
	readonly #lookups = new Map<string, Promise<Entry | undefined>>();
	readonly #walk: AttributeWalk;
	readonly #questions: NameQuestions;
	readonly #listings: WalkListings;
	#rootAttributes: FileAttributes;

	constructor(options: {
		store: Pick<ObjectStore, 'head' | 'list'>;
		cache: MetadataCache;
		defaults: AttributeDefaults;
		markers: KnownMarkers;
		metrics?: MetricSink | undefined;
	}) {
		this.#store = options.store;
		this.#cache = options.cache;
		this.#questions = new NameQuestions(options);
		this.#walk = new AttributeWalk({ttlMs: options.cache.ttlMs, now: () => options.cache.nowMs()});
		this.#listings = new WalkListings({...options, walk: this.#walk});
		this.#defaults = options.defaults;
		this.#markers = options.markers;
		this.#lookupCount = (options.metrics ?? noMetrics).counter('pnx_volume_metadata_lookups_total');
		this.#missCount = (options.metrics ?? noMetrics).counter('pnx_volume_metadata_misses_total');
		this.#rootAttributes = readAttributes({key: '', lastModifiedMs: Date.now()}, {}, options.defaults);
	}

	/**
	What the path is, at most `metadata-ttl` old; `undefined` when there is nothing. The root is answered from memory.
	*/
	async lookup(
		path: string,
		options: {/** Asks S3 again before it says that there is nothing. */ doubtsAbsence?: boolean} = {},
	): Promise<Entry | undefined> {
		if (path === '') {
			return {kind: 'directory', path, marker: undefined, attributes: this.#rootAttributes};
		}

		this.#lookupCount.value++;
		const known = this.#cache.get(path);
		if (known?.state === 'absent') {
			return options.doubtsAbsence === true ? this.#askAgain(path) : undefined;
		}

		const isWhole = known !== undefined && this.#isWhole(known);
		const isKnown = isWhole || this.#lookups.has(path);
		const entry = isWhole ? this.#toEntry(path, known) : this.#miss(path, this.#toQuestion(path, known));
		this.#lookAhead(path, {isKnown}); // Behind the request that somebody waits for.
		return entry;
	}

	/** Whether the attributes are known, too. */
	#isWhole(known: KnownEntry): boolean {
		switch (known.state) {
			case 'listed': {
				return this.#defaults.attributes === 'uniform';
			}

			case 'directory': {
				return known.marker !== 'unknown' || this.#defaults.attributes === 'uniform';
			}

			case 'object':
			case 'absent': {
				return true;
			}
		}
	}

	/** How to ask for the attributes of a path whose kind may be known, from an answer or from an open directory. */
	#toQuestion(path: string, known: KnownEntry | undefined): () => Promise<Entry | undefined> {
		const listed = known === undefined ? this.#walk.entry(path) : undefined;
		if (known?.state === 'directory') {
			return async () => (await this.#askOfMany(path)) ?? this.#lookupMarker(path);
		}

		if (known?.state === 'listed' || listed?.isDirectory === false) {
			// What was a file may have become a directory meanwhile.
			return async () =>
				(listed === undefined ? undefined : await this.#askOfMany(path)) ??
				(await this.lookupObject(path)) ??
				this.#ask(path);
		}

		return listed === undefined ? async () => this.#ask(path) : async () => this.#lookupListedDirectory(path);
	}

	/** Where one listing may tell the attributes of many names, as HEAD was asked for them before. */
	async #askOfMany(path: string): Promise<Entry | undefined> {
		await this.#listings.ask(path);
		const known = this.#cache.get(path);
		return known !== undefined && this.#isWhole(known) ? this.#toEntry(path, known) : undefined;
	}

	/** What the path is; ENOENT when there is nothing. */
	async require(path: string, options: {doubtsAbsence?: boolean} = {}): Promise<Entry> {
		const entry = await this.lookup(path, options);
		if (entry === undefined) {
			throw new FsError('ENOENT', `${path} does not exist`);
		}

		return entry;
	}

	/** The parent of a name that is to be made must be a directory: its attributes. */
	async requireParent(path: string): Promise<FileAttributes> {
		const parent = await this.require(parentOf(path));
		if (parent.kind !== 'directory') {
			throw new FsError('ENOTDIR', `${parent.path} is not a directory`);
		}

		return parent.attributes;
	}

	/**
	The object of the path as S3 has it now, whatever the cache says; `undefined` when there is none. A directory only
	when this node has made one there meanwhile.
	*/
	async lookupObject(
		path: string,
		ask: (key: string) => Promise<ObjectHead | undefined> = async key => this.#store.head(key),
	): Promise<Entry | undefined> {
		const known = await this.#askUntilCurrent(path, async () => {
			const head = await ask(path);
			return head === undefined ? undefined : {state: 'object', head};
		});
		return this.#toEntry(path, known);
	}

	/** As `lookup`, of a file that a listing named, to open it: S3 is asked whatever is known. */
	async lookupToOpen(path: string, ask: (key: string) => Promise<ObjectHead | undefined>): Promise<Entry | undefined> {
		this.#lookupCount.value++;
		this.#missCount.value++;
		return this.lookupObject(path, ask);
	}

	/** One page of the entries of a directory, into the cache as well; `asked`: when it was asked for, if earlier. */
	async list(directory: string, continuationToken: string | undefined): Promise<ListPage & {asked?: Asked}> {
		const ahead = continuationToken === undefined ? await this.#listings.take(directory) : undefined;
		if (ahead !== undefined) {
			return ahead;
		}

		const token = this.#cache.beginRead();
		const prefix = directory === '' ? '' : `${directory}/`;
		const page = await this.#store.list({prefix, delimiter: '/', continuationToken});
		const names = noteListing(this.#cache, directory, page, token);
		if (this.#walk.isOpen(directory)) {
			// Not the root at the mount: no program goes through it.
			this.#walk.listed(directory, names, {isFirstPage: continuationToken === undefined});
		}

		return page;
	}

	/** A directory is open from here on to `closed`: what listings of it say of kinds stays good. */
	opened(directory: string): void {
		this.#walk.opened(directory);
	}

	closed(directory: string): void {
		this.#walk.closed(directory);
	}

	/** Asks for the attributes that a walk through a listing will need next, so that it does not wait for each. */
	#lookAhead(path: string, {isKnown}: {isKnown: boolean}): void {
		for (const next of this.#walk.next(path, {isKnown})) {
			const nextKnown = this.#cache.get(next.path);
			if (nextKnown === undefined || !this.#isWhole(nextKnown)) {
				// A failure is not reported here: whoever needs the answer asks again and gets it then.
				this.#share(next.path, this.#toQuestion(next.path, nextKnown)).catch(() => undefined);
			}
		}
	}

	/** Whether anything but its marker lies below a directory; keys that cannot be names count. */
	async isEmpty(directory: string): Promise<boolean> {
		const prefix = `${directory}/`;
		const page = await this.#store.list({prefix, countMax: 2});
		return page.objects.every(object => object.key === prefix);
	}

	/** Every object below a directory, page by page, its marker first. */
	async *listTree(directory: string): AsyncGenerator<readonly ListedObject[], void, void> {
		let continuationToken: string | undefined;
		do {
			const page: ListPage = await this.#store.list({prefix: `${directory}/`, continuationToken});
			yield page.objects;
			({continuationToken} = page);
		} while (continuationToken !== undefined);
	}

	/** The root has no object: its attributes live until the unmount. */
	setRootAttributes(attributes: FileAttributes): void {
		this.#rootAttributes = attributes;
	}

	/** A look-up that no cache could answer. */
	async #miss(path: string, ask: () => Promise<Entry | undefined>): Promise<Entry | undefined> {
		this.#missCount.value++;
		return this.#share(path, ask);
	}

	/** Equal look-ups at the same time share one request. */
	async #share(path: string, ask: () => Promise<Entry | undefined>): Promise<Entry | undefined> {
		let lookup = this.#lookups.get(path);
		if (lookup === undefined) {
			lookup = ask().finally(() => {
				if (this.#lookups.get(path) === lookup) {
					this.#lookups.delete(path);
				}
			});
			this.#lookups.set(path, lookup);
		}

		return lookup;
	}

	/** Whether a look-up of the path is on its way. */
	isAskedFor(path: string): boolean {
		return this.#lookups.has(path);
	}

	/** This node changed the path: a look-up that is on its way must not be shared by those that come now. */
	forgetLookup(path: string): void {
		this.#lookups.delete(path);
		this.#walk.forget(path);
	}

	/** As `forgetLookup`, for a directory and everything below it. */
	forgetLookupsBelow(directory: string): void {
		this.#walk.forgetTree(directory);
		for (const path of this.#lookups.keys()) {
			if (isWithin(path, directory)) {
				this.#lookups.delete(path);
			}
		}
	}

	async #ask(path: string): Promise<Entry | undefined> {
		const known = await this.#askUntilCurrent(path, async () => this.#questions.ask(path));
		return this.#toEntry(path, known);
	}

	/** A name that was absent a moment ago, whatever others are asking: what they hear may be of before. */
	async #askAgain(path: string): Promise<Entry | undefined> {
		this.#missCount.value++;
		const known = await this.#askUntilCurrent(path, async () => this.#questions.askOfAbsent(path));
		return this.#toEntry(path, known);
	}

	/** What was a directory some time ago is one when it has a marker; otherwise it may be gone. */
	async #lookupListedDirectory(path: string): Promise<Entry | undefined> {
		const known = await this.#askUntilCurrent(path, async () => {
			const marker = await this.#store.head(`${path}/`);
			return marker === undefined ? this.#questions.ask(path) : {state: 'directory', marker};
		});
		return this.#toEntry(path, known);
	}

	async #lookupMarker(path: string): Promise<Entry | undefined> {
		const known = await this.#askUntilCurrent(path, async () => ({
			state: 'directory',
			marker: await this.#store.head(`${path}/`),
		}));
		return this.#toEntry(path, known);
	}

	/**
	Asks S3, and remembers the answer (`undefined`: nothing that is worth it). An answer may be of before a change that
	this node made meanwhile. Then what the node made is the answer; where only S3 can tell what that is, it is asked
	again.
	*/
	async #askUntilCurrent(path: string, ask: () => Promise<KnownEntry | undefined>): Promise<KnownEntry | undefined> {
		for (;;) {
			const token = this.#cache.beginRead();
			const answer = await ask();
			const change = this.#cache.changeSince(path, token);
			if (change === undefined) {
				this.#remember(path, answer, token);
				return answer;
			}

			if (change.entry !== undefined) {
				return change.entry;
			}
		}
	}

	#remember(path: string, answer: KnownEntry | undefined, token: ReadToken): void {
		if (answer === undefined) {
			this.#cache.forget(path);
			return;
		}

		this.#cache.record(path, answer, token);
		if (answer.state === 'directory' && answer.marker !== undefined && answer.marker !== 'unknown') {
			this.#markers.note(path);
		}
	}

	#toEntry(path: string, known: KnownEntry | undefined): Entry | undefined {
		return toEntry(path, known, this.#defaults);
	}
}
