import type {MetricSink} from '../model/metric-sink.ts';
import type {ObjectStore, ObjectVersion} from '../store/object-store.ts';
import {type BlockCache, type VersionId, blockBytes, versionIdOf} from './block-cache.ts';
import {type CacheMetrics, createCacheMetrics} from './cache-metrics.ts';
import {fillBlocks} from './fill-blocks.ts';
import {MemoryBlocks, type MemoryBlock} from './memory-blocks.ts';
import type {RangeSource} from './receive-range.ts';

export type BlockLoaderOptions = {
	readonly store: ObjectStore;
	readonly blockCache: BlockCache;
	readonly memoryBytesMax: number;
	/** How much one request fetches, in whole blocks. */
	readonly partBytes: number;
	readonly metrics?: MetricSink | undefined;
};

/** Brings blocks of versions of objects into memory: from the disk cache, or from the store. */
export class BlockLoader {
	/** How many blocks one request fetches at most. */
	readonly requestBlocksMax: number;
	readonly #blockCache: BlockCache;
	readonly #memory: MemoryBlocks;
	readonly #metrics: CacheMetrics;
	readonly #source: RangeSource;
	readonly #closing = new AbortController();
	readonly #versionIds = new WeakMap<ObjectVersion, VersionId>();

	constructor(options: BlockLoaderOptions) {
		this.requestBlocksMax = Math.max(1, Math.min(16, Math.floor(options.partBytes / blockBytes)));
		this.#blockCache = options.blockCache;
		this.#memory = new MemoryBlocks({bytesMax: options.memoryBytesMax, metrics: options.metrics});
		this.#metrics = createCacheMetrics(options.metrics);
		this.#source = {store: options.store, signal: this.signal, resumptions: this.#metrics.resumptions};
	}

	/** Aborted by `close()`. */
	get signal(): AbortSignal {
		return this.#closing.signal;
	}

	get memoryBytes(): number {
		return this.#memory.usedBytes;
	}

	/** How many more blocks fit into memory without evicting one that is in use. */
	get spareCount(): number {
		return this.#memory.spareCount;
	}

	/** Whether the block is in memory, or on its way there. */
	isInMemory(version: ObjectVersion, index: number): boolean {
		return this.#memory.has(blockIdOf(this.#versionIdOf(version), index));
	}

	isOnDisk(version: ObjectVersion, index: number): boolean {
		return this.#blockCache.has(this.#versionIdOf(version), index);
	}

	/** Starts loading the blocks of [first, last] that are not in memory: from disk one by one, from S3 in runs. */
	start(version: ObjectVersion, first: number, last: number): void {
		let runStart: number | undefined;
		for (let index = first; index <= last + 1; index++) {
			const isMissing = index <= last && !this.isInMemory(version, index);
			const isOnDisk = isMissing && this.isOnDisk(version, index);
			const isInStore = isMissing && !isOnDisk;
			if (runStart !== undefined && (!isInStore || index - runStart >= this.requestBlocksMax)) {
				this.#fetch(version, {first: runStart, count: index - runStart});
				runStart = undefined;
			}

			if (isInStore) {
				runStart ??= index;
			} else if (isOnDisk) {
				this.#loadFromDisk(version, index);
			}
		}
	}

	/** The block, for somebody who copies from it once it is loaded, and then calls `unpin`. */
	pin(version: ObjectVersion, index: number): MemoryBlock {
		const block =
			this.#memory.get(blockIdOf(this.#versionIdOf(version), index)) ?? this.#fetch(version, {first: index, count: 1});
		block.pins++;
		(block.firstUse ?? this.#metrics.memoryHits).value++;
		block.firstUse = undefined;
		return block;
	}

	unpin(block: MemoryBlock): void {
		this.#memory.unpin(block);
	}

	/** Loads the only block of a small object from the body of a request that is on its way. */
	startFromBody(version: ObjectVersion, body: AsyncIterable<Uint8Array>): void {
		this.#fetch(version, {first: 0, count: 1, body});
	}

	/** Ends what is on its way. */
	close(): void {
		this.#closing.abort();
		this.#memory.clear();
	}

	#loadFromDisk(version: ObjectVersion, index: number): void {
		const versionId = this.#versionIdOf(version);
		const block = this.#memory.add(blockIdOf(versionId, index), async buffer => {
			let length = await this.#blockCache.get(versionId, index, buffer);
			if (length === undefined) {
				// It was damaged, or has gone since.
				await fillBlocks(this.#source, version, {first: index, buffers: [buffer]}, (_position, filled) => {
					length = filled;
				});
			}

			return length ?? 0;
		});
		block.firstUse = this.#metrics.diskHits;
	}

	/** One request for consecutive blocks, each usable as soon as its bytes are there. The first of them is returned. */
	#fetch(
		version: ObjectVersion,
		{first, count, body}: {first: number; count: number; body?: AsyncIterable<Uint8Array>},
	): MemoryBlock {
		const versionId = this.#versionIdOf(version);
		const lengths = Array.from({length: count}, () => Promise.withResolvers<number>());
		const blocks = lengths.map(({promise}, position) =>
			this.#memory.add(blockIdOf(versionId, first + position), async () => promise),
		);
		for (const block of blocks) {
			block.firstUse = this.#metrics.misses;
		}

		this.#metrics.fetchedBlocks.value += count;
		const buffers = blocks.map(({buffer}) => buffer);
		void fillBlocks(this.#source, version, {first, buffers, body}, (position, length) => {
			const block = blocks[position]!; // There is a block, and a promise of its length, for each buffer.
			block.pins++;
			lengths[position]!.resolve(length);
			void this.#blockCache.put(versionId, first + position, block.buffer.subarray(0, length)).finally(() => {
				this.#memory.unpin(block);
			});
		}).catch((error: unknown) => {
			// The blocks that are loaded stay so.
			for (const {reject} of lengths) {
				reject(error);
			}
		});
		return blocks[0]!; // The count is at least one.
	}

	#versionIdOf(version: ObjectVersion): VersionId {
		let versionId = this.#versionIds.get(version);
		if (versionId === undefined) {
			versionId = versionIdOf(version);
			this.#versionIds.set(version, versionId);
		}

		return versionId;
	}
}

const blockIdOf = (versionId: VersionId, index: number): string => `${versionId}-${index}`;
