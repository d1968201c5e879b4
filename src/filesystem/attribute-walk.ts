import {BoundedMap} from '../model/bounded-map.ts';
import {isWithin, parentOf} from '../model/object-key.ts';

/** An entry of a listing: its kind is known, and its attributes are not. */
export type ListedName = {readonly path: string; readonly isDirectory: boolean};

type ListedDirectory = {
	/** In the order of the listing, all pages that were read. */
	readonly entries: ListedName[];
	readonly positions: Map<string, number>;
	/** While the directory is not open: until when its listing is good. */
	goodUntilMs: number;
	lastPosition: number;
	/** The directory that a walk through the tree comes to next. */
	following: string | undefined;
	/** Everything before this was asked for. */
	askedCount: number;
	/** How far ahead of the program. */
	aheadCount: number;
	/** Where and when the walk began. */
	beganPosition: number;
	beganAtMs: number;
};

/**
Notices a program that asks for the attributes of one entry of a listing after the other (`ls -l`, `find`, `rsync`), and
says which ones it will ask for next, so that their requests can be on their way already.

What a listing said of kinds stays good for as long as the directory is open, or the program goes on: a walk may take
much longer than answers are remembered, and each name would be looked up as one that may be anything.
*/
export class AttributeWalk {
	readonly #ttlMs: number;
	readonly #now: () => number;
	readonly #openCounts = new Map<string, number>();
	readonly #directories = new BoundedMap<string, ListedDirectory>({
		countMax: entryCountMax,
		countOf: ({entries}) => Math.max(1, entries.length),
	});

	constructor({ttlMs, now}: {ttlMs: number; now: () => number}) {
		this.#ttlMs = ttlMs;
		this.#now = now;
	}

	opened(directory: string): void {
		this.#openCounts.set(directory, (this.#openCounts.get(directory) ?? 0) + 1);
	}

	isOpen(directory: string): boolean {
		return this.#openCounts.has(directory);
	}

	closed(directory: string): void {
		const count = this.#openCounts.get(directory) ?? 0;
		if (count > 1) {
			this.#openCounts.set(directory, count - 1);
			return;
		}

		this.#openCounts.delete(directory);
		this.#prolong(this.#directories.get(directory));
	}

	/** A page of a listing; those after the first one belong to the pages before. */
	listed(directory: string, names: readonly ListedName[], {isFirstPage}: {isFirstPage: boolean}): void {
		const before = isFirstPage ? undefined : this.#directories.get(directory);
		this.#directories.delete(directory); // It is counted anew.
		if (names.length === 0 && before === undefined) {
			return;
		}

		// Of a directory that is too large, the newest page has to do.
		const isKept = before !== undefined && before.entries.length + names.length <= entryCountMax / 2;
		const listed = isKept ? before : createListed();
		for (const name of names) {
			listed.positions.set(name.path, listed.entries.push(name) - 1);
		}

		this.#prolong(listed);
		this.#directories.set(directory, listed);
	}

	/** What a listing that is still good said of the path. */
	entry(path: string): ListedName | undefined {
		const directory = parentOf(path);
		const listed = this.#directories.get(directory);
		const position = listed?.positions.get(path);
		const isGood = listed !== undefined && (this.#openCounts.has(directory) || this.#now() < listed.goodUntilMs);
		return isGood && position !== undefined ? listed.entries[position] : undefined;
	}

	/**
	An entry is asked for, whose attributes are known (or on their way) or not: the entries that should be asked for with
	it. None for one that may be the only one.
	*/
	next(path: string, {isKnown}: {isKnown: boolean}): readonly ListedName[] {
		const directory = parentOf(path);
		const listed = this.#directories.get(directory);
		const position = listed?.positions.get(path);
		if (listed === undefined || position === undefined || position === listed.lastPosition || this.#ttlMs === 0) {
			return []; // What is not remembered need not be asked for ahead.
		}

		const {lastPosition} = listed;
		const isBeginning = position === 0 && this.#openCounts.has(directory);
		const isStep = lastPosition >= 0 && position > lastPosition && position <= lastPosition + aheadCountFirst;
		listed.lastPosition = position;
		if (isBeginning || !isStep) {
			listed.askedCount = position + 1;
			listed.aheadCount = aheadCountFirst;
			listed.beganPosition = position;
			listed.beganAtMs = this.#now();
		}

		if (!isBeginning && !isStep) {
			return [];
		}

		this.#prolong(listed);
		if (!isBeginning && !isKnown && position < listed.askedCount) {
			// The program is so slow that answers are forgotten before it comes to them.
			listed.aheadCount = Math.max(aheadCountMin, listed.aheadCount / 2);
			listed.askedCount = position + 1;
		}

		const aheadCount = Math.min(listed.aheadCount, this.#aheadCountAtPace(listed, position));
		const isAtEnd = listed.askedCount === listed.entries.length;
		const ahead = takeAhead(listed, position, aheadCount);
		return !isAtEnd && listed.askedCount === listed.entries.length
			? [...ahead, ...this.#takeFollowing(listed, position + 1 + aheadCount - listed.entries.length)]
			: ahead;
	}

	/** What comes behind the end of a directory, in those that the walk comes to next. */
	#takeFollowing(listed: ListedDirectory, count: number): readonly ListedName[] {
		const following = listed.following === undefined ? undefined : this.#directories.get(listed.following);
		if (following === undefined || count <= 0) {
			return [];
		}

		const taken = following.entries.slice(0, count);
		return taken.length < count ? [...taken, ...this.#takeFollowing(following, count - taken.length)] : taken;
	}

	/** A walk through a tree comes to these directories one after the other. */
	follow(directories: readonly string[]): void {
		let last: ListedDirectory | undefined;
		for (const directory of directories) {
			if (last !== undefined) {
				last.following = directory;
			}

			last = this.#directories.get(directory);
		}
	}

	/** The key of the name before this one in its listing; `undefined` at its beginning. */
	keyBefore(path: string): string | undefined {
		const listed = this.#directories.get(parentOf(path));
		const before = listed?.entries[(listed.positions.get(path) ?? 0) - 1];
		return before?.isDirectory === true ? `${before.path}/` : before?.path;
	}

	/** So many directories of a listing, from this one on. */
	directoriesFrom(path: string, count: number): ReadonlySet<string> {
		const listed = this.#directories.get(parentOf(path));
		const position = listed?.positions.get(path);
		const found = new Set<string>();
		for (let next = position ?? Infinity; listed !== undefined && next < listed.entries.length; next++) {
			const entry = listed.entries[next];
			if (found.size >= count) {
				break;
			}

			if (entry?.isDirectory === true) {
				found.add(entry.path);
			}
		}

		return found;
	}

	/** The directory so many after this one. */
	directoryAfter(path: string, count: number): string | undefined {
		return [...this.directoriesFrom(path, count + 1)][count];
	}

	/** As many as the program comes to while their answers are good. */
	#aheadCountAtPace({beganPosition, beganAtMs}: ListedDirectory, position: number): number {
		const stepCount = position - beganPosition;
		if (stepCount < pacedStepCount) {
			return aheadCountFirst * 2;
		}

		const msPerStep = (this.#now() - beganAtMs) / stepCount;
		return Math.max(aheadCountMin, Math.min(aheadCountMax, Math.floor(this.#ttlMs / 2 / msPerStep)));
	}

	/** This node changed the path: what listings said of it is over. */
	forget(path: string): void {
		this.#directories.get(parentOf(path))?.positions.delete(path);
	}

	/** As `forget`, of a directory and everything in it. */
	forgetTree(directory: string): void {
		this.forget(directory);
		for (const listed of this.#directories.keys()) {
			if (isWithin(listed, directory)) {
				this.#directories.delete(listed);
			}
		}
	}

	#prolong(listed: ListedDirectory | undefined): void {
		if (listed !== undefined) {
			listed.goodUntilMs = this.#now() + this.#ttlMs;
		}
	}
}

const createListed = (): ListedDirectory => ({
	entries: [],
	positions: new Map(),
	goodUntilMs: 0,
	lastPosition: -1,
	following: undefined,
	askedCount: 0,
	aheadCount: aheadCountFirst,
	beganPosition: 0,
	beganAtMs: 0,
});

const takeAhead = (listed: ListedDirectory, position: number, aheadCount: number): readonly ListedName[] => {
	const {entries, positions} = listed;
	const from = Math.max(listed.askedCount, position + 1);
	const to = Math.min(entries.length, position + 1 + aheadCount);
	// In bunches: a request more for each step would be a step too late for all of them.
	if (to <= from || (to - from < aheadCount / 4 && to < entries.length)) {
		return [];
	}

	listed.askedCount = to;
	listed.aheadCount = Math.min(aheadCountMax, listed.aheadCount * 2);
	return entries.slice(from, to).filter(({path}) => positions.has(path));
};

/** Of all directories together. */
const entryCountMax = 100_000;

/** A walk that has just begun may end at once. */
const aheadCountFirst = 64;

/** Several for each connection: one that is answered is followed by another at once, also while the program is slow. */
const aheadCountMax = 256;

const aheadCountMin = 8;

/** After so many steps it is known how fast a program is. */
const pacedStepCount = 8;
