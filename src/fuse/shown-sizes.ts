import {BoundedMap} from '../model/bounded-map.ts';

/**
The size of each file as the kernel was last told. The kernel cuts reads at the size that it knows, and does not ask
again on open: a file that grew elsewhere would be read in part. An open() that is answered with ESTALE makes the
kernel look the name up again (path_openat with LOOKUP_REVAL) and open once more: so it learns the new size, and no
program sees the error.
*/
export class ShownSizes {
	readonly #sizes: BoundedMap<string, number>;
	/** The path whose open was refused last. */
	#refusedPath: string | undefined;

	constructor(options: {countMax: number}) {
		this.#sizes = new BoundedMap(options);
	}

	/** The kernel was told this size. */
	note(path: string, sizeBytes: number): void {
		this.#sizes.set(path, sizeBytes);
	}

	/** The name stands for something else now, and the kernel knows it. */
	forget(path: string): void {
		this.#sizes.delete(path);
	}

	/**
	Whether the kernel believes another size. Once only for each open: the kernel tries again once, and a second
	refusal would reach the program.
	*/
	takeIsWrong(path: string, sizeBytes: number): boolean {
		const shown = this.#sizes.get(path);
		this.#sizes.delete(path);
		const isWrong = shown !== undefined && shown !== sizeBytes && path !== this.#refusedPath;
		this.#refusedPath = isWrong ? path : undefined;
		return isWrong;
	}
}
