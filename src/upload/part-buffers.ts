import {Semaphore} from '../model/semaphore.ts';

/** Memory for the bytes of parts that are on their way, of all files together; one part always fits. */
export class PartBuffers {
	readonly #partBytes: number;
	readonly #units: number;
	readonly #memory: Semaphore;
	readonly #spare: Buffer[] = [];

	constructor(options: {partBytes: number; bytesMax: number}) {
		this.#partBytes = options.partBytes;
		this.#units = Math.max(1, Math.floor(options.bytesMax / unitBytes));
		this.#memory = new Semaphore(this.#units);
	}

	/** Lends a buffer of so many bytes, whatever is in it, for the time of the task. */
	async lend<Result>(bytes: number, task: (buffer: Buffer) => Promise<Result>): Promise<Result> {
		return this.#memory.run(
			async () => {
				const isPart = bytes === this.#partBytes;
				const buffer =
					(isPart ? this.#spare.pop() : undefined) ??
					(bytes < smallBytes ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes));
				try {
					return await task(buffer);
				} finally {
					if (isPart && this.#spare.length * this.#partBytes < this.#units * unitBytes) {
						this.#spare.push(buffer);
					}
				}
			},
			Math.ceil(bytes / unitBytes),
		);
	}
}

/** Small files take little, so that many of them are on their way. */
const unitBytes = 2 ** 16;
const smallBytes = 2 ** 18;
