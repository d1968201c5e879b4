import type {ReadToken} from '../cache/metadata-cache.ts';
import {BoundedMap} from '../model/bounded-map.ts';
import type {Entry} from './namespace.ts';

/** What S3 said of a path after a thread had begun to open it. */
export type Opening = {readonly path: string; readonly entry: Entry; readonly token: ReadToken};

/**
Opens that have begun: within one open(2) the kernel looks the name up and then opens it. What the look-up found is as
new as the open has to see it, so S3 is not asked twice. A thread is in one system call at a time; one whose open(2) was
refused by the kernel in between leaves its opening behind, for a moment.
*/
export class Openings {
	readonly #openings = new BoundedMap<number, Opening & {readonly goodUntilMs: number}>({countMax: openingCountMax});
	readonly #now: () => number;

	constructor({now}: {now: () => number}) {
		this.#now = now;
	}

	note(threadId: number, opening: Opening): void {
		this.#openings.set(threadId, {...opening, goodUntilMs: this.#now() + openingMsMax});
	}

	/** The opening of a thread, once. */
	take(threadId: number | undefined, path: string): Opening | undefined {
		if (threadId === undefined) {
			return undefined;
		}

		const opening = this.#openings.get(threadId);
		this.#openings.delete(threadId);
		return opening?.path === path && this.#now() < opening.goodUntilMs ? opening : undefined;
	}
}

const openingCountMax = 1000;
const openingMsMax = 500;
