import {BoundedMap} from '../model/bounded-map.ts';
import {parentOf} from '../model/object-key.ts';

type ListedPage = {
	readonly keys: readonly string[];
	readonly positions: ReadonlyMap<string, number> /** Everything before this was asked for. */;
	askedCount: number;
	lastPosition: number;
};

/**
Notices a program that asks for the attributes of one entry of a listing after the other (`ls -l`, `find`, `rsync`), and
says which ones it will ask for next, so that their requests can be on their way already.
*/
export class AttributeWalk {
	readonly #pages = new BoundedMap<string, ListedPage>({countMax: directoryCountMax});

	/** A page of a listing whose entries are known by name only. */
	listed(directory: string, keys: readonly string[]): void {
		if (keys.length > 1) {
			this.#pages.set(directory, {
				keys,
				positions: new Map(keys.map((key, position) => [key, position])),
				askedCount: 0,
				lastPosition: -1,
			});
		} else {
			this.#pages.delete(directory);
		}
	}

	/**
	An entry is asked for: the entries that should be asked for with it. None for the first one, which may be the only
	one.
	*/
	next(key: string): readonly string[] {
		const page = this.#pages.get(parentOf(key));
		const position = page?.positions.get(key);
		if (page === undefined || position === undefined) {
			return [];
		}

		const isWalk = position > page.lastPosition && position <= page.lastPosition + aheadCount && page.lastPosition >= 0;
		page.lastPosition = position;
		if (!isWalk) {
			page.askedCount = position + 1;
			return [];
		}

		const from = Math.max(page.askedCount, position + 1);
		const to = Math.min(page.keys.length, position + 1 + aheadCount);
		// In bunches: a request more for each step would be a step too late for all of them.
		if (to - from < aheadCount / 2 && to < page.keys.length) {
			return [];
		}

		page.askedCount = Math.max(page.askedCount, to);
		return page.keys.slice(from, to);
	}
}

const directoryCountMax = 16;
const aheadCount = 64;
