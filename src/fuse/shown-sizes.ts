import {BoundedMap} from '../model/bounded-map.ts';
import {isWithin} from '../model/object-key.ts';

type ShownSize = {
	sizeBytes: number;
	readonly isDirectory: boolean;
	/**
	The thread that was told a size which the kernel did not know before; absent once the kernel uses it. An answer is
	used when the thread that waits for it runs, so calls of other threads may come first.
	*/
	toldTo?: number | undefined;
};

/**
The size of each file as the kernel was last told. The kernel cuts reads at the size that it knows, and does not ask
again on open: a file that grew elsewhere would be read in part. An open() that is answered with ESTALE makes the
kernel look the name up again (path_openat with LOOKUP_REVAL) and open once more: so it learns the new size, and no
program sees the error.
*/
export class ShownSizes {
	readonly #sizes: BoundedMap<string, ShownSize>;
	/** Which thread was refused which path: what it opens next there is the second try. */
	readonly #refusals: BoundedMap<string, number>;

	constructor(options: {countMax: number}) {
		this.#sizes = new BoundedMap(options);
		this.#refusals = new BoundedMap(options);
	}

	/** A thread is told this size by the answer to its call, and the kernel with it. */
	told(path: string, {sizeBytes, isDirectory}: {sizeBytes: number; isDirectory: boolean}, threadId: number): void {
		const shown = this.#sizes.get(path);
		const isKnown = shown === undefined || (shown.sizeBytes === sizeBytes && shown.toldTo === undefined);
		this.#sizes.set(path, {sizeBytes, isDirectory, toldTo: isKnown ? undefined : threadId});
	}

	/** The kernel wrote up to here itself. */
	wrote(path: string, endBytes: number): void {
		const shown = this.#sizes.get(path);
		if (shown !== undefined && shown.sizeBytes < endBytes) {
			shown.sizeBytes = endBytes;
		}
	}

	/** The name stands for nothing or for something new, and the kernel knows it. */
	forget(path: string): void {
		this.#sizes.delete(path);
	}

	/** The kernel knows what it knew of a name by another one, and of what is below it. */
	renamed(from: string, to: string): void {
		const isFile = this.#sizes.get(from)?.isDirectory === false;
		for (const path of isFile ? [from] : [...this.#sizes.keys()].filter(name => isWithin(name, from))) {
			const shown = this.#sizes.get(path);
			this.#sizes.delete(path);
			if (shown !== undefined) {
				this.#sizes.set(`${to}${path.slice(from.length)}`, shown);
			}
		}
	}

	/** Whether it is not sure that the kernel uses the size that it was told: it was told to another thread. */
	isUnsure(path: string, threadId: number): boolean {
		const toldTo = this.#sizes.get(path)?.toldTo;
		return toldTo !== undefined && toldTo !== threadId;
	}

	/** An open by a thread found this size: whether the kernel believes another one. */
	isWrong(path: string, sizeBytes: number, threadId: number): boolean {
		const shown = this.#sizes.get(path);
		if (shown?.toldTo === threadId) {
			shown.toldTo = undefined; // It runs again.
		}

		return shown !== undefined && (shown.sizeBytes !== sizeBytes || shown.toldTo !== undefined);
	}

	/**
	Whether an open may be refused: the kernel tries again once, on the same thread, and a second refusal would reach the
	program.
	*/
	mayRefuse(path: string, threadId: number): boolean {
		return !this.#refusals.has(`${threadId} ${path}`);
	}

	/** An open was refused. */
	refused(path: string, threadId: number): void {
		this.#refusals.set(`${threadId} ${path}`, threadId);
	}

	/** An open was answered for good. */
	answered(path: string, threadId: number): void {
		this.#refusals.delete(`${threadId} ${path}`);
	}
}
