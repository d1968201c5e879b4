import type {ReadToken} from '../cache/metadata-cache.ts';
import {BoundedMap} from '../model/bounded-map.ts';
import type {OpenFlags} from './filesystem.ts';
import type {Entry} from './namespace.ts';

/** What S3 said of a path after a thread had begun to open it. */
export type Opening = {
	readonly path: string;
	readonly flags: OpenFlags;
	readonly entry: Entry;
	readonly token: ReadToken;
};

/**
Opens that have begun: within one open(2) the kernel looks the name up and then opens it. What the look-up found is as
new as the open has to see it, so S3 is not asked twice. A thread is in one system call at a time. One whose open(2) the
kernel refused in between leaves its opening behind, for a moment: with O_EXCL, or for writing where that is not
allowed. What it opens next with other flags is another open, which has to see what was closed since.
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

	/** The opening of a thread that goes on with it, once. */
	take(path: string, flags: OpenFlags): Opening | undefined {
		if (flags.threadId === undefined) {
			return undefined;
		}

		const opening = this.#openings.get(flags.threadId);
		this.#openings.delete(flags.threadId);
		const isSame = opening?.path === path && goesOn(opening.flags, flags);
		return isSame && this.#now() < opening.goodUntilMs ? opening : undefined;
	}
}

/** Whether an open is the one that began so. The kernel leaves O_CREAT out when the file is there. */
const goesOn = (begun: OpenFlags, now: OpenFlags): boolean =>
	!begun.exclusive &&
	begun.read === now.read &&
	begun.write === now.write &&
	begun.append === now.append &&
	begun.truncate === now.truncate;

const openingCountMax = 1000;
const openingMsMax = 500;
