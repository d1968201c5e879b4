import type {MetadataCache, ReadToken} from '../cache/metadata-cache.ts';
import {BoundedMap} from '../model/bounded-map.ts';
import {parentOf} from '../model/object-key.ts';
import type {ListedObject, ListPage, ObjectStore} from '../store/object-store.ts';
import type {AttributeWalk} from './attribute-walk.ts';
import type {FlatListing} from './flat-listing.ts';
import {noteFlatListing, noteListing} from './note-listing.ts';

/** When a request was sent, in both measures of time. */
export type Asked = {readonly token: ReadToken; readonly beganAtMs: number};

type ListedAhead = ListPage & {readonly asked: Asked};

type Page = {
	/** The directories that it is thought to have; `undefined` while nobody knows how many fit a page. */
	readonly expected: ReadonlySet<string> | undefined;
	readonly done: Promise<void>;
};

/** A walk through what lies below a directory. */
type Walk = {
	readonly outer: string;
	/** Those that are on their way. */
	readonly pages: Set<Page>;
	/** How many directories the last one had. */
	directoryCount: number | undefined;
	/** Where the next page begins; `undefined` at the end. */
	next: string | undefined;
	/** The directories of the newest page until the program comes to one: then the next pages are asked for. */
	newest: ReadonlySet<string>;
	/** How many pages ahead: doubled while the program keeps up, none when answers are forgotten before it comes. */
	aheadCount: number;
};

/**
Listings that serve many names at once, for programs that go through directories.

A program that lists a directory and then one in it goes through a tree (`find`, `rm -r`, `rsync`). Then everything
below the outer one is listed without a delimiter, from there on, 1000 keys at a time: a directory of which all keys
were in a page needs no listing of its own. Each such listing is used once, and while it is
good: not after the time to live of answers, and not after this node has changed a name of the directory.

Where HEAD has told the attributes of names before, a listing of the versions is all that is needed. So a program that
comes to a name whose listing is too old has 1000 names listed again from there.
*/
export class WalkListings {
	readonly #store: Pick<ObjectStore, 'list'>;
	readonly #cache: MetadataCache;
	readonly #names: AttributeWalk;
	readonly #walks = new BoundedMap<string, Walk>({countMax: 100});
	readonly #ahead = new BoundedMap<string, ListedAhead>({
		countMax: aheadNameCountMax,
		countOf: ({objects, prefixes}) => 1 + objects.length + prefixes.length,
	});
	/** Directories that do not fit a page. */
	readonly #large = new BoundedMap<string, true>({countMax: 1000});
	readonly #relistings = new Map<string, Promise<void>>();

	constructor({store, cache, walk}: {store: Pick<ObjectStore, 'list'>; cache: MetadataCache; walk: AttributeWalk}) {
		this.#store = store;
		this.#cache = cache;
		this.#names = walk;
	}

	/** The listing of a directory, if a walk has brought it or is about to; it is used up then. */
	async take(directory: string): Promise<ListedAhead | undefined> {
		const found = this.#takeGood(directory);
		if (found !== undefined || !this.#isOfWalk(directory)) {
			return found;
		}

		await this.#awaitPage(directory);
		const awaited = this.#takeGood(directory);
		if (awaited !== undefined) {
			return awaited;
		}

		await this.#fetch(this.#walkBelow(parentOf(directory)), directory);
		const fetched = this.#takeGood(directory);
		if (fetched === undefined) {
			this.#large.set(directory, true);
		}

		return fetched;
	}

	/**
	Asks for the attributes of a path together with those of the names that a program will come to next, if a listing may
	tell them. The cache has what was found. A failure is not reported: the path is asked for by itself then.
	*/
	async ask(path: string): Promise<void> {
		const listed = this.#names.entry(path);
		const key = listed?.isDirectory === true ? `${path}/` : path;
		if (listed !== undefined && this.#cache.hasAttributes(key)) {
			await (listed.isDirectory ? this.#askOfDirectory(path) : this.#relist(path)).catch(() => undefined);
		}
	}

	async #askOfDirectory(directory: string): Promise<void> {
		if (!this.#isOfWalk(directory)) {
			return;
		}

		await this.#awaitPage(directory);
		const walk = this.#walkBelow(parentOf(directory));
		const isWorthIt = walk.directoryCount === undefined || walk.directoryCount >= directoryCountMin;
		if (!this.#ahead.has(directory) && isWorthIt) {
			await (this.#pageOf(directory)?.done ?? this.#fetch(walk, directory));
		}
	}

	#takeGood(directory: string): ListedAhead | undefined {
		const ahead = this.#ahead.get(directory);
		if (ahead === undefined) {
			return undefined;
		}

		this.#ahead.delete(directory);
		const {token, beganAtMs} = ahead.asked;
		const walk = this.#walkAround(directory);
		if (beganAtMs + this.#cache.ttlMs <= this.#cache.nowMs()) {
			if (walk !== undefined) {
				walk.aheadCount = 0;
			}

			return undefined;
		}

		if (walk?.newest.has(directory) === true) {
			this.#fetchAhead(walk);
		}

		return this.#cache.changeSince(`${directory}/`, token) === undefined ? ahead : undefined;
	}

	/** Whether a program that lists this directory has listed the one around it just before. */
	#isOfWalk(directory: string): boolean {
		return (
			directory !== '' &&
			this.#cache.ttlMs > 0 &&
			!this.#large.has(directory) &&
			this.#names.entry(directory)?.isDirectory === true
		);
	}

	#walkBelow(outer: string): Walk {
		let walk = this.#walks.get(outer);
		if (walk === undefined) {
			walk = {outer, pages: new Set(), directoryCount: undefined, next: undefined, newest: new Set(), aheadCount: 0};
			this.#walks.set(outer, walk);
		}

		return walk;
	}

	/** The innermost walk that the directory belongs to. */
	#walkAround(directory: string): Walk | undefined {
		let walk: Walk | undefined;
		for (let outer = directory; outer !== '' && walk === undefined; ) {
			outer = parentOf(outer);
			walk = this.#walks.get(outer);
		}

		return walk;
	}

	/** A page on its way that may have the directory. */
	#pageOf(directory: string): Page | undefined {
		const pages = [...(this.#walkAround(directory)?.pages ?? [])];
		return pages.find(({expected}) => expected === undefined || expected.has(directory));
	}

	async #awaitPage(directory: string): Promise<void> {
		// Whoever asked for it hears of a failure.
		await this.#pageOf(directory)?.done.catch(() => undefined);
	}

	/** The program has come to the newest page. */
	#fetchAhead(walk: Walk): void {
		walk.newest = new Set();
		walk.aheadCount = Math.min(aheadPageCountMax, Math.max(1, walk.aheadCount * 2));
		let {next} = walk;
		for (let count = 0; count < walk.aheadCount && next !== undefined; count++) {
			if (!this.#ahead.has(next) && this.#pageOf(next) === undefined) {
				// Whoever needs the answer asks for it.
				this.#fetch(walk, next).catch(() => undefined);
			}

			next = this.#names.directoryAfter(next, Math.max(1, walk.directoryCount ?? 1));
		}
	}

	async #fetch(walk: Walk, directory: string): Promise<void> {
		const {directoryCount} = walk;
		const page: Page = {
			expected: directoryCount === undefined ? undefined : this.#names.directoriesFrom(directory, directoryCount),
			done: this.#fetchPage(walk, directory),
		};
		walk.pages.add(page);
		try {
			await page.done;
		} finally {
			walk.pages.delete(page);
		}
	}

	async #fetchPage(walk: Walk, directory: string): Promise<void> {
		const {outer} = walk;
		const startAfter = `${directory}.`; // The last character before the slash.
		const asked = {token: this.#cache.beginRead(), beganAtMs: this.#cache.nowMs()};
		const page = await this.#store.list({prefix: outer === '' ? '' : `${outer}/`, startAfter});
		const listing = noteFlatListing(this.#cache, outer, page, {...asked, startAfter});
		const complete: string[] = [];
		walk.next = undefined;
		for (const [path, {isComplete}] of listing.directories) {
			if (isComplete) {
				complete.push(path);
			} else if (parentOf(path) === outer && path !== directory) {
				walk.next ??= path;
			}
		}

		this.#keep(listing, complete, asked);
		walk.newest = new Set(complete);
		walk.directoryCount = complete.filter(path => parentOf(path) === outer).length;
	}

	#keep({directories, files}: FlatListing, complete: readonly string[], asked: Asked): void {
		const objects = Map.groupBy<string, ListedObject>(files, ({key}) => parentOf(key));
		for (const path of complete) {
			const prefix = `${path}/`;
			const names = directories.get(path)?.names ?? new Map<string, boolean>();
			const prefixes = [...names].filter(([, isDirectory]) => isDirectory).map(([name]) => `${prefix}${name}/`);
			const page = {objects: objects.get(path) ?? [], prefixes};
			this.#ahead.set(path, {...page, asked});
			const listed = [...names].map(([name, isDirectory]) => ({path: prefix + name, isDirectory}));
			this.#names.listed(path, listed, {isFirstPage: true});
		}

		this.#names.follow(complete);
	}

	/** Lists a directory again from this name on. */
	async #relist(path: string): Promise<void> {
		const directory = parentOf(path);
		let relisting = this.#relistings.get(directory);
		if (relisting !== undefined) {
			await relisting;
			if (this.#cache.get(path) !== undefined) {
				return;
			}

			relisting = this.#relistings.get(directory);
		}

		if (relisting === undefined) {
			relisting = this.#relistFrom(directory, path).finally(() => {
				this.#relistings.delete(directory);
			});
			this.#relistings.set(directory, relisting);
		}

		await relisting;
	}

	async #relistFrom(directory: string, path: string): Promise<void> {
		const before = this.#names.keyBefore(path);
		const token = this.#cache.beginRead();
		const page = await this.#store.list({
			prefix: directory === '' ? '' : `${directory}/`,
			delimiter: '/',
			startAfter: before,
		});
		noteListing(this.#cache, directory, page, token);
	}
}

/** Of all walks together. */
const aheadNameCountMax = 20_000;

const aheadPageCountMax = 4;

/** With fewer directories in a page, asking for the marker of each is better. */
const directoryCountMin = 4;
