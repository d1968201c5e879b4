import {blockBytes} from './block-cache.ts';

/**
How far to read ahead for one reader of a file.

Linux' own readahead asks in pieces of up to 1 MiB, several at once and not always in order, so a reader counts
as sequential while it stays near where it is expected. Growing only after a second sequential read keeps one
stray readahead from turning a random reader into a streaming one.
*/
export class ReadSequence {
	#expectedOffset = 0;
	#sequentialCount = 0;
	#windowBlocks = 1;
	readonly #windowBlocksMax: number;

	constructor(options: {windowBytesMax: number}) {
		this.#windowBlocksMax = Math.max(1, Math.floor(options.windowBytesMax / blockBytes));
	}

	/** Notes a read; the answer is how many blocks after it should be on their way: 0 for a random reader. */
	advance(offset: number, length: number): number {
		const distance = offset - this.#expectedOffset;
		if (distance > jumpBytesMax || distance < -jumpBytesMax) {
			this.#sequentialCount = 0;
			this.#windowBlocks = 1;
			this.#expectedOffset = offset + length;
			return 0;
		}

		this.#expectedOffset = Math.max(this.#expectedOffset, offset + length);
		this.#sequentialCount++;
		if (this.#sequentialCount >= 2) {
			this.#windowBlocks = Math.min(this.#windowBlocks * 2, this.#windowBlocksMax);
		}

		return this.#sequentialCount >= 2 ? this.#windowBlocks : 0;
	}

	/** Memory is short: ask for less. */
	shrink(): void {
		this.#windowBlocks = Math.max(1, this.#windowBlocks >>> 1);
	}
}

const jumpBytesMax = 4 * 2 ** 20;
