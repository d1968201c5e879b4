import {forEachParallel, Semaphore} from '../model/semaphore.ts';
import {isStoreError, StoreError} from '../model/store-error.ts';
import type {GetResult, ObjectVersion} from '../store/object-store.ts';
import {blockBytes} from './block-cache.ts';
import {BlockLoader, type BlockLoaderOptions} from './block-loader.ts';
import type {ChecksumStatus} from './checksum-account.ts';
import type {MemoryBlock} from './memory-blocks.ts';
import {ReadSequence} from './read-sequence.ts';

/**
Reads byte ranges of versions of objects through memory and the disk cache. All bytes of one read come from
one version: every request carries its etag.
*/
export class ObjectReader {
	readonly #loader: BlockLoader;
	readonly #windowBytesMax: number;
	readonly #keeping: Semaphore;

	constructor(options: BlockLoaderOptions) {
		this.#loader = new BlockLoader(options);
		this.#windowBytesMax = Math.max(blockBytes, Math.floor(options.memoryBytesMax / 2));
		this.#keeping = new Semaphore(Math.floor(this.#windowBytesMax / blockBytes));
	}

	get memoryBytes(): number {
		return this.#loader.memoryBytes;
	}

	get checksumStatus(): ChecksumStatus {
		return this.#loader.checksumStatus;
	}

	/** Aborted by `close()`. */
	get signal(): AbortSignal {
		return this.#loader.signal;
	}

	/** The state of one sequential reader: one for each open handle. */
	createSequence(): ReadSequence {
		return new ReadSequence({windowBytesMax: this.#windowBytesMax});
	}

	/**
	Fills `target` with the bytes of the version from `offset` on; all of them must exist. Fails with
	`preconditionFailed` or `notFound` when the version is gone.
	*/
	async read(version: ObjectVersion, offset: number, target: Uint8Array, sequence?: ReadSequence): Promise<void> {
		if (target.length === 0) {
			return;
		}

		const {aheadCount, isRandom} = sequence?.advance(offset, target.length) ?? {aheadCount: 0, isRandom: false};
		if (isRandom && (await this.#readSlices(version, offset, target))) {
			return;
		}

		const first = Math.floor(offset / blockBytes);
		const last = Math.floor((offset + target.length - 1) / blockBytes);
		this.#loader.start(version, first, last);
		const blocks: MemoryBlock[] = [];
		for (let index = first; index <= last; index++) {
			blocks.push(this.#loader.pin(version, index));
		}

		this.#readAhead(version, {last, aheadCount}, sequence);
		try {
			for (const [position, block] of blocks.entries()) {
				await block.loaded;
				copyBlock(block, {version, index: first + position}, {offset, target});
			}
		} finally {
			for (const block of blocks) {
				this.#loader.unpin(block);
			}
		}
	}

	/** Whether all bytes of the version are one block that would have to come from the store. */
	lacksWhole(version: ObjectVersion): boolean {
		return (
			version.sizeBytes > 0 &&
			version.sizeBytes <= blockBytes &&
			!this.#loader.isInMemory(version, 0) &&
			!this.#loader.isOnDisk(version, 0)
		);
	}

	/** How many objects of so many bytes, up to a block, may be read ahead of programs. */
	aheadCountMax(sizeBytes: number): number {
		return Math.floor(this.#loader.spareCountOf(sizeBytes) / 2);
	}

	/**
	Takes all bytes of a version of one block from the answer to somebody's request, for the reads to come. False, and its
	body is not touched, when they are in memory by now.
	*/
	takeWhole(version: ObjectVersion, answer: GetResult): boolean {
		if (this.#loader.isInMemory(version, 0)) {
			return false;
		}

		this.#loader.startFromAnswer(version, answer);
		return true;
	}

	/**
	Brings all bytes of a version into the disk cache; whether it has them then. Fails as `read`. With half of the memory
	for blocks at most, all such calls together.
	*/
	async keepOnDisk(version: ObjectVersion): Promise<boolean> {
		const blockCount = Math.ceil(version.sizeBytes / blockBytes);
		const {requestBlocksMax} = this.#loader;
		const runs = Array.from({length: Math.ceil(blockCount / requestBlocksMax)}, (_, index) => index * requestBlocksMax);
		let keptCount = 0;
		await forEachParallel(runs, keptRunsMax, async first => {
			const last = Math.min(first + requestBlocksMax, blockCount) - 1;
			const count = await this.#keeping.run(async () => this.#loader.keep(version, first, last), last - first + 1);
			keptCount += count;
		});
		return keptCount === blockCount;
	}

	/** Ends reads that are on their way. */
	async close(): Promise<void> {
		this.#loader.close();
	}

	/**
	For a reader that jumps about: whether it was done by slices of blocks. Not where a block is near, nor where copies of
	a slice were not the same: then whole blocks are compared with their checksums.
	*/
	async #readSlices(version: ObjectVersion, offset: number, target: Uint8Array): Promise<boolean> {
		const end = offset + target.length;
		for (let index = Math.floor(offset / blockBytes); index * blockBytes < end; index++) {
			if (this.#loader.isInMemory(version, index) || this.#loader.isOnDisk(version, index)) {
				return false;
			}
		}

		const {slices} = this.#loader;
		if (!slices.isBetter(version, {start: offset, end})) {
			return false;
		}

		try {
			await slices.read(version, offset, target);
			return true;
		} catch (error) {
			if (isStoreError(error, 'corrupt')) {
				return false;
			}

			throw error;
		}
	}

	/** Starts loading what a sequential reader will need after the block `last`. */
	#readAhead(
		version: ObjectVersion,
		{last, aheadCount}: {last: number; aheadCount: number},
		sequence: ReadSequence | undefined,
	): void {
		const lastOfObject = Math.floor((version.sizeBytes - 1) / blockBytes);
		const aheadLast = Math.min(last + aheadCount, lastOfObject);
		let missing = last + 1;
		while (missing <= aheadLast && this.#loader.isInMemory(version, missing)) {
			missing++;
		}

		// In requests as large as possible: only when half of a full one, or the end of the object, is missing.
		const missingCount = aheadLast - missing + 1;
		const isWorthRequest =
			missingCount >= Math.min(aheadCount, this.#loader.requestBlocksMax) / 2 || aheadLast === lastOfObject;
		if (missingCount <= 0 || !isWorthRequest) {
			return;
		}

		const {spareCount} = this.#loader;
		if (spareCount < missingCount) {
			sequence?.shrink();
		}

		this.#loader.start(version, missing, Math.min(aheadLast, missing + spareCount - 1));
	}
}

/** Requests for one object at the same time. */
const keptRunsMax = 8;

/** Copies what a read wants of a loaded block into the read's target. */
const copyBlock = (
	block: MemoryBlock,
	{version, index}: {version: ObjectVersion; index: number},
	{offset, target}: {offset: number; target: Uint8Array},
): void => {
	const blockStart = index * blockBytes;
	const from = Math.max(offset, blockStart);
	const to = Math.min(offset + target.length, blockStart + blockBytes);
	if (to - blockStart > block.length) {
		throw new StoreError(
			'corrupt',
			`Cannot read ${version.key}: block ${index} has ${block.length} bytes and ${to - blockStart} are needed`,
		);
	}

	block.buffer.copy(target, from - offset, from - blockStart, to - blockStart);
};
