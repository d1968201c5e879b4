import {blockBytes} from './block-cache.ts';

/** What a read makes of its reader. */
export type ReadPlan = {
	/** How many blocks after those of the read should be on their way. */
	readonly aheadCount: number;
	/** The reader jumps about: little else of the blocks of this read is likely to be needed. */
	readonly isRandom: boolean;
};

/**
How one reader of a file reads: in sequence, and then how far to read ahead, or here and there.

Linux' own readahead asks in pieces of up to 1 MiB, several at once and not always in order, so a reader that was
sequential stays so while it is near where it is expected. One that was not has to be nearer: in a small file, random
reads are often near each other. Growing only after a second sequential read keeps one stray readahead from turning a
random reader into a streaming one.
*/
export class ReadSequence {
	#expectedOffset = 0;
	#sequentialCount = 0;
	#jumpCount = 0;
	#windowBlocks = 1;
	readonly #windowBlocksMax: number;

	constructor(options: {windowBytesMax: number}) {
		this.#windowBlocksMax = Math.max(1, Math.floor(options.windowBytesMax / blockBytes));
	}

	/** Notes a read. */
	advance(offset: number, length: number): ReadPlan {
		if (Math.abs(offset - this.#expectedOffset) > this.#reachOf(length)) {
			this.#sequentialCount = 0;
			this.#windowBlocks = 1;
			this.#jumpCount++;
			this.#expectedOffset = offset + length;
			return {aheadCount: 0, isRandom: this.#isRandom(length)};
		}

		this.#expectedOffset = Math.max(this.#expectedOffset, offset + length);
		this.#sequentialCount++;
		if (!this.#isSequential) {
			return {aheadCount: 0, isRandom: this.#isRandom(length)};
		}

		this.#jumpCount = 0;
		this.#windowBlocks = Math.min(this.#windowBlocks * 2, this.#windowBlocksMax);
		return {aheadCount: this.#windowBlocks, isRandom: false};
	}

	/** Memory is short: ask for less. */
	shrink(): void {
		this.#windowBlocks = Math.max(1, this.#windowBlocks >>> 1);
	}

	get #isSequential(): boolean {
		return this.#sequentialCount >= 2;
	}

	#reachOf(length: number): number {
		return this.#isSequential ? reachBytesMax : Math.min(reachBytesMax, Math.max(reachBytesMin, length * 4));
	}

	/** The first jump of a reader of little is enough: one that only begins there loses the time of one request. */
	#isRandom(length: number): boolean {
		return length <= randomBytesMax && this.#jumpCount >= (length <= littleBytesMax ? 1 : 2);
	}
}

const reachBytesMax = 4 * 2 ** 20;
const reachBytesMin = 2 ** 18;
const littleBytesMax = 2 ** 17;
/** Who reads more at once gets whole blocks. */
const randomBytesMax = 2 ** 19;
