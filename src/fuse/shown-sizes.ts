import {BoundedMap} from '../model/bounded-map.ts';

/**
The size of each file as the kernel was last told. The kernel cuts reads at the size that it knows, and does not ask
again on open: a file that grew elsewhere would be read in part. An open() that is answered with ESTALE makes the
kernel look the name up again (path_openat with LOOKUP_REVAL) and open once more: so it learns the new size, and no
program sees the error.
*/
export class ShownSizes {
	readonly #sizes: BoundedMap<string, number>;
	/** Which thread was refused which path: what it opens next there is the second try. */
	readonly #refusals: BoundedMap<string, number>;

	constructor(options: {countMax: number}) {
		this.#sizes = new BoundedMap(options);
		this.#refusals = new BoundedMap(options);
	}

	/** The kernel was told this size. */
	note(path: string, sizeBytes: number): void {
		this.#sizes.set(path, sizeBytes);
	}

	/** The name stands for something else now, and the kernel knows it. */
	forget(path: string): void {
		this.#sizes.delete(path);
	}

	/** Whether the kernel believes another size. */
	takeIsWrong(path: string, sizeBytes: number): boolean {
		const shown = this.#sizes.get(path);
		this.#sizes.delete(path);
		return shown !== undefined && shown !== sizeBytes;
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
