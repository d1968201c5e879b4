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

/** What S3 said of a path to an open, and when it was asked. */
type Answer = {readonly order: number; readonly entry: Entry; readonly token: ReadToken};

/**
Opens that have begun: within one open(2) the kernel looks the name up and then opens it. What the look-up found is as
new as the open has to see it, so S3 is not asked twice. A thread is in one system call at a time. One whose open(2) the
kernel refused in between leaves its opening behind, for a moment: with O_EXCL, or for writing where that is not
allowed. What it opens next with other flags is another open, which has to see what was closed since.
*/
export class Openings {
	readonly #openings = new BoundedMap<number, Opening & {readonly goodUntilMs: number}>({countMax: openingCountMax});
	readonly #answers = new BoundedMap<string, Answer>({countMax: openingCountMax});
	readonly #now: () => number;
	#order = 0;

	constructor({now}: {now: () => number}) {
		this.#now = now;
	}

	/** The place of now among opens that begin and questions that are sent. */
	begin(): number {
		return ++this.#order;
	}

	/** What S3 said of the path; `order` is of just before it was asked. */
	noteAnswer(path: string, answer: Answer): void {
		this.#answers.set(path, answer);
	}

	/**
	What S3 was asked by another open after the one of this place had begun, and had to wait for it: so many opens of one
	file at the same time do not ask one after the other.
	*/
	answerSince(path: string, order: number): Answer | undefined {
		const answer = this.#answers.get(path);
		return answer !== undefined && answer.order > order ? answer : undefined;
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
