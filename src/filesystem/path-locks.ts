import {isWithin} from '../model/object-key.ts';

/** A name that must not change meanwhile; with `tree` nothing below it either. */
export type PathLock = {readonly path: string; readonly isTree?: boolean};

type Holder = {readonly locks: readonly PathLock[]; readonly grant: () => void};

/**
Serializes changes to names. All locks of one operation are taken at once, in the order in which operations came, so
operations cannot wait for each other in a circle, and none is overtaken by one that it conflicts with.
*/
export class PathLocks {
	readonly #held = new Set<Holder>();
	readonly #waiting: Holder[] = [];

	async run<Result>(locks: readonly PathLock[], task: () => Promise<Result>): Promise<Result> {
		const granted = Promise.withResolvers<void>();
		const holder: Holder = {locks, grant: granted.resolve};
		if (this.#canHold(holder, this.#waiting)) {
			this.#held.add(holder);
		} else {
			this.#waiting.push(holder);
			await granted.promise;
		}

		try {
			return await task();
		} finally {
			this.#held.delete(holder);
			this.#grantWaiting();
		}
	}

	#grantWaiting(): void {
		for (let index = 0; index < this.#waiting.length; ) {
			const holder = this.#waiting[index]!; // The loop's bound.
			if (this.#canHold(holder, this.#waiting.slice(0, index))) {
				this.#waiting.splice(index, 1);
				this.#held.add(holder);
				holder.grant();
			} else {
				index++;
			}
		}
	}

	#canHold(holder: Holder, before: readonly Holder[]): boolean {
		for (const other of this.#held) {
			if (conflicts(holder, other)) {
				return false;
			}
		}

		return !before.some(other => conflicts(holder, other));
	}
}

const conflicts = (a: Holder, b: Holder): boolean =>
	a.locks.some(left =>
		b.locks.some(
			right =>
				left.path === right.path ||
				(left.isTree === true && isWithin(right.path, left.path)) ||
				(right.isTree === true && isWithin(left.path, right.path)),
		),
	);
