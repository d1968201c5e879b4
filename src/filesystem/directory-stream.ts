import type {EntryKind} from '../model/entry-kind.ts';
import {compareKeys, isEntryName} from '../model/object-key.ts';
import type {ListedObject, ListPage} from '../store/object-store.ts';

/** A name in a directory and what a listing can tell of it. */
export type StreamEntry = {
	readonly name: string;
	readonly isDirectory: boolean;
	/** What another entry is, if that is known. */
	readonly kind?: EntryKind | undefined;
};

type Page = {
	/** Index of its first entry in the stream. */
	readonly start: number;
	readonly entries: readonly StreamEntry[];
	/** Where the next page begins; `undefined` on the last page. */
	readonly next: {readonly continuationToken: string; readonly lastKey: string} | undefined;
};

/**
The entries of one opened directory in S3's order, page by page. Names that are there all the time come exactly once,
whatever is made or removed meanwhile: each page goes on after the last key of the one before. Names that only this node
knows are merged in where they belong.

Only the newest pages are kept; going back further (seekdir) lists the directory again from its start.
*/
export class DirectoryStream {
	readonly #prefix: string;
	readonly #list: (continuationToken: string | undefined) => Promise<ListPage>;
	readonly #localNames: () => readonly string[];
	readonly #kindOf: (object: ListedObject) => EntryKind | undefined;
	readonly #pages: Page[] = [];
	/** File names whose directory of the same name may still come: `a` sorts before `a/`, with others between. */
	#shadowable = new Set<string>();
	/** Every name of the directory and whether it is one, while there are few enough to be worth remembering. */
	#names: Map<string, boolean> | undefined = new Map();

	constructor(options: {
		directory: string;
		list: (continuationToken: string | undefined) => Promise<ListPage>;
		localNames: () => readonly string[];
		/** What an object is, if that is known. */
		kindOf?: (object: ListedObject) => EntryKind | undefined;
	}) {
		this.#prefix = options.directory === '' ? '' : `${options.directory}/`;
		this.#list = options.list;
		this.#localNames = options.localNames;
		this.#kindOf = options.kindOf ?? (() => undefined);
	}

	/** Entries from this index on: at least one unless the directory ends there. */
	async entriesFrom(index: number): Promise<readonly StreamEntry[]> {
		if (index < (this.#pages[0]?.start ?? 0)) {
			this.rewind();
		}

		for (;;) {
			const page = this.#pages.findLast(({start}) => start <= index);
			const last = this.#pages.at(-1);
			if (page !== undefined && index < page.start + page.entries.length) {
				return page.entries.slice(index - page.start);
			}

			if (last !== undefined && last.next === undefined) {
				return [];
			}

			await this.#readPage(last);
		}
	}

	/** All names, once the last page was read and if there were not too many. */
	get allNames(): ReadonlyMap<string, boolean> | undefined {
		return this.#pages.length > 0 && this.#pages.at(-1)?.next === undefined ? this.#names : undefined;
	}

	/** From the start again (rewinddir): what changed since is seen. */
	rewind(): void {
		this.#pages.length = 0;
		this.#shadowable = new Set();
		this.#names = new Map();
	}

	async #readPage(previous: Page | undefined): Promise<void> {
		const page = await this.#list(previous?.next?.continuationToken);
		const listed: Array<StreamEntry & {key: string}> = [];
		for (const object of page.objects) {
			const name = object.key.slice(this.#prefix.length);
			if (isEntryName(name)) {
				listed.push({name, isDirectory: false, kind: this.#kindOf(object), key: name});
			}
		}

		for (const prefix of page.prefixes) {
			const name = prefix.slice(this.#prefix.length, -1);
			if (isEntryName(name)) {
				listed.push({name, isDirectory: true, key: `${name}/`});
			}
		}

		const {continuationToken} = page;
		const next =
			continuationToken === undefined
				? undefined
				: {continuationToken, lastKey: lastKeyOf(page) ?? previous?.next?.lastKey ?? ''};
		listed.push(...this.#localBetween(previous?.next?.lastKey, next?.lastKey));
		listed.sort((a, b) => compareKeys(a.key, b.key));
		const directories = new Set(listed.filter(({isDirectory}) => isDirectory).map(({name}) => name));
		const entries: StreamEntry[] = [];
		const seen = new Set<string>();
		for (const {name, isDirectory, kind} of listed) {
			const isHidden = !isDirectory && directories.has(name);
			if (!isHidden && !seen.has(name) && !this.#shadowable.has(name)) {
				entries.push(kind === undefined ? {name, isDirectory} : {name, isDirectory, kind});
				seen.add(name);
			}
		}

		this.#remember(entries, next?.lastKey);
		this.#pages.push({start: previous === undefined ? 0 : previous.start + previous.entries.length, entries, next});
		if (this.#pages.length > pagesMax) {
			this.#pages.shift();
		}
	}

	#localBetween(after: string | undefined, upTo: string | undefined): Array<StreamEntry & {key: string}> {
		return this.#localNames()
			.filter(
				name =>
					(after === undefined || compareKeys(this.#prefix + name, after) > 0) &&
					(upTo === undefined || compareKeys(this.#prefix + name, upTo) <= 0),
			)
			.map(name => ({name, isDirectory: false, key: name}));
	}

	#remember(entries: readonly StreamEntry[], lastKey: string | undefined): void {
		for (const {name, isDirectory} of entries) {
			if (!isDirectory) {
				this.#shadowable.add(name);
			}

			this.#names?.set(name, isDirectory);
		}

		if (lastKey !== undefined) {
			this.#shadowable = new Set(
				[...this.#shadowable].filter(name => compareKeys(`${this.#prefix}${name}/`, lastKey) > 0),
			);
		}

		if (this.#names !== undefined && this.#names.size > namesMax) {
			this.#names = undefined;
		}
	}
}

const namesMax = 10_000;
const pagesMax = 16;

const lastKeyOf = (page: ListPage): string | undefined => {
	const object = page.objects.at(-1)?.key;
	const prefix = page.prefixes.at(-1);
	if (object === undefined || prefix === undefined) {
		return object ?? prefix;
	}

	return compareKeys(object, prefix) > 0 ? object : prefix;
};
