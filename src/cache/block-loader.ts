import type {MetricSink} from '../model/metric-sink.ts';
import {parseBlockSums} from '../store/block-sums.ts';
import type {GetResult, ObjectStore, ObjectVersion} from '../store/object-store.ts';
import {type BlockCache, type VersionId, blockBytes} from './block-cache.ts';
import {type CacheMetrics, createCacheMetrics} from './cache-metrics.ts';
import {ChecksumAccount, type ChecksumStatus} from './checksum-account.ts';
import {type BlockSource, fillBlocks} from './fill-blocks.ts';
import {MemoryBlocks, type MemoryBlock} from './memory-blocks.ts';
import {sliceBytes, SliceReader} from './slice-reader.ts';
import {VersionIds} from './version-ids.ts';

export type BlockLoaderOptions = {
	readonly store: ObjectStore;
	readonly blockCache: BlockCache;
	readonly memoryBytesMax: number;
	/** How much one request fetches, in whole blocks. */
	readonly partBytes: number;
	/**
	For connections that do not protect the bytes themselves. Fetches more than is needed where only that can be compared
	with a checksum: whole pieces of objects whose pieces have several blocks. Slices, which have none, come twice.
	*/
	readonly fetchesWholePieces?: boolean | undefined;
	readonly metrics?: MetricSink | undefined;
};

/** Brings blocks of versions of objects into memory: from the disk cache, or from the store. */
export class BlockLoader {
	/** How many blocks one request fetches at most. */
	readonly requestBlocksMax: number;
	/** For what is less than a block. */
	readonly slices: SliceReader;
	readonly #blockCache: BlockCache;
	readonly #memory: MemoryBlocks;
	readonly #metrics: CacheMetrics;
	readonly #source: BlockSource;
	readonly #closing = new AbortController();
	readonly #versionIds = new VersionIds();
	readonly #fetchesWholePieces: boolean;

	constructor(options: BlockLoaderOptions) {
		this.requestBlocksMax = Math.max(1, Math.min(16, Math.floor(options.partBytes / blockBytes)));
		this.#blockCache = options.blockCache;
		const {metrics, memoryBytesMax} = options;
		this.#memory = new MemoryBlocks({bytesMax: memoryBytesMax * (1 - sliceShare), metrics});
		this.#metrics = createCacheMetrics(metrics);
		this.#source = {
			store: options.store,
			signal: this.signal,
			resumptions: this.#metrics.resumptions,
			checksums: new ChecksumAccount(metrics),
		};
		this.#fetchesWholePieces = options.fetchesWholePieces === true;
		this.slices = new SliceReader({
			source: this.#source,
			versionIds: this.#versionIds,
			memoryBytesMax: memoryBytesMax * sliceShare,
			fetchesTwice: this.#fetchesWholePieces,
			wholeBytesOf: version => this.#pieceBlocksOf(version) * blockBytes,
			cacheMetrics: this.#metrics,
			metrics,
		});
	}

	/** Aborted by `close()`. */
	get signal(): AbortSignal {
		return this.#closing.signal;
	}

	get memoryBytes(): number {
		return this.#memory.usedBytes + this.slices.memoryBytes;
	}

	get checksumStatus(): ChecksumStatus {
		return this.#source.checksums.status;
	}

	/** How many more blocks fit into memory without evicting one that is in use. */
	get spareCount(): number {
		return this.#memory.spareCount;
	}

	/** How many more objects of so many bytes fit into memory, none larger than a block. */
	spareCountOf(sizeBytes: number): number {
		return (sizeBytes <= sliceBytes ? this.slices.memory : this.#memory).spareCount;
	}

	/** Whether the block is in memory, or on its way there. */
	isInMemory(version: ObjectVersion, index: number): boolean {
		return this.#memoryOf(version).has(blockIdOf(this.#versionIdOf(version), index));
	}

	isOnDisk(version: ObjectVersion, index: number): boolean {
		return this.#blockCache.has(this.#versionIdOf(version), index);
	}

	/** Starts loading the blocks of [first, last] that are not in memory: from disk one by one, from S3 in runs. */
	start(version: ObjectVersion, first: number, last: number): void {
		for (let index = first; index <= last; ) {
			if (this.isInMemory(version, index)) {
				index++;
			} else if (this.isOnDisk(version, index)) {
				this.#loadFromDisk(version, index);
				index++;
			} else {
				index = this.#startRun(version, index, last);
			}
		}
	}

	/** The block, for somebody who copies from it once it is loaded, and then calls `unpin`. */
	pin(version: ObjectVersion, index: number): MemoryBlock {
		const id = blockIdOf(this.#versionIdOf(version), index);
		const memory = this.#memoryOf(version);
		if (!memory.has(id)) {
			this.#startRun(version, index, index);
		}

		const block = memory.get(id)!; // It is there, or on its way by now.
		block.pins++;
		(block.firstUse ?? this.#metrics.memoryHits).value++;
		block.firstUse = undefined;
		return block;
	}

	/**
	Brings the blocks of [first, last] onto the disk, which is waited for; how many of them it has then. Fails as the
	requests do. Their memory is in use meanwhile.
	*/
	async keep(version: ObjectVersion, first: number, last: number): Promise<number> {
		const versionId = this.#versionIdOf(version);
		const kept: Array<Promise<void>> = [];
		for (let index = first; index <= last; index++) {
			if (!this.isOnDisk(version, index)) {
				if (!this.isInMemory(version, index)) {
					this.#startRun(version, index, last);
				}

				const block = this.#memoryOf(version).get(blockIdOf(versionId, index))!; // It is there, or on its way by now.
				block.pins++;
				kept.push(this.#keepBlock(versionId, index, block));
			}
		}

		const failure = (await Promise.allSettled(kept)).find(({status}) => status === 'rejected');
		if (failure?.status === 'rejected') {
			throw failure.reason;
		}

		let count = 0;
		for (let index = first; index <= last; index++) {
			count += this.isOnDisk(version, index) ? 1 : 0;
		}

		return count;
	}

	unpin(block: MemoryBlock): void {
		this.#memory.unpin(block);
	}

	/** Loads the only block of a small object from the answer to a request that is on its way. */
	startFromAnswer(version: ObjectVersion, answer: GetResult): void {
		this.#fetch(version, {first: 0, count: 1, begun: answer});
	}

	/** Ends what is on its way. */
	close(): void {
		this.#closing.abort();
		this.#memory.clear();
		this.slices.clear();
	}

	async #keepBlock(versionId: VersionId, index: number, block: MemoryBlock): Promise<void> {
		try {
			await block.loaded;
			const bytes = block.buffer.subarray(0, block.length);
			await this.#blockCache.put(versionId, index, bytes, {isWaitedFor: true});
		} finally {
			this.#memory.unpin(block);
		}
	}

	#loadFromDisk(version: ObjectVersion, index: number): void {
		const versionId = this.#versionIdOf(version);
		const block = this.#memoryOf(version).add(blockIdOf(versionId, index), async buffer => {
			let length = await this.#blockCache.get(versionId, index, buffer);
			if (length === undefined) {
				// It was damaged, or has gone since.
				const {first, end} = this.#widen(version, index, index + 1);
				const buffers = Array.from({length: end - first}, (_, position) =>
					first + position === index ? buffer : Buffer.allocUnsafeSlow(blockBytes),
				);
				await fillBlocks(this.#source, version, {first, buffers}, (position, filled) => {
					length = first + position === index ? filled : length;
				});
			}

			return length ?? 0;
		});
		block.firstUse = this.#metrics.diskHits;
	}

	/**
	Starts a request for the block and for those behind it, up to `last`, that are missing too; answers the next index.
	*/
	#startRun(version: ObjectVersion, index: number, last: number): number {
		let end = index + 1;
		while (end <= last && end - index < this.requestBlocksMax && this.#isInStore(version, end)) {
			end++;
		}

		const whole = this.#widen(version, index, end);
		this.#fetch(version, {first: whole.first, count: whole.end - whole.first});
		return end;
	}

	/** The blocks to fetch for those from `first` up to `end`. */
	#widen(version: ObjectVersion, first: number, end: number): {first: number; end: number} {
		const pieceBlocks = this.#pieceBlocksOf(version);
		const blockCount = Math.ceil(version.sizeBytes / blockBytes);
		return {
			first: first - (first % pieceBlocks),
			end: Math.min(Math.ceil(end / pieceBlocks) * pieceBlocks, blockCount),
		};
	}

	/** How many blocks one fetch has to bring. */
	#pieceBlocksOf(version: ObjectVersion): number {
		return this.#fetchesWholePieces ? pieceBlocksOf(version) : 1;
	}

	#isInStore(version: ObjectVersion, index: number): boolean {
		return !this.isInMemory(version, index) && !this.isOnDisk(version, index);
	}

	/** One request for consecutive blocks, each usable as soon as its bytes are there. */
	#fetch(
		version: ObjectVersion,
		{first, count, begun}: {first: number; count: number; begun?: GetResult | undefined},
	): void {
		const versionId = this.#versionIdOf(version);
		const memory = this.#memoryOf(version);
		const lengths = Array.from({length: count}, () => Promise.withResolvers<number>());
		// Those that are in memory come once more only to compare the checksum of all.
		const blocks = lengths.map(({promise}, position) => {
			const id = blockIdOf(versionId, first + position);
			return memory.has(id) ? undefined : memory.add(id, async () => promise);
		});
		for (const block of blocks) {
			if (block !== undefined) {
				block.firstUse = this.#metrics.misses;
			}
		}

		this.#metrics.fetchedBlocks.value += count;
		const buffers = blocks.map(block => block?.buffer ?? Buffer.allocUnsafeSlow(blockBytes));
		void fillBlocks(this.#source, version, {first, buffers, begun}, (position, length, crc) => {
			lengths[position]!.resolve(length); // There is a promise of its length for each buffer.
			const block = blocks[position];
			if (block !== undefined) {
				block.pins++;
				void this.#blockCache.put(versionId, first + position, block.buffer.subarray(0, length), {crc}).finally(() => {
					memory.unpin(block);
				});
			}
		}).catch((error: unknown) => {
			// The blocks that are loaded stay so.
			for (const {reject, promise} of lengths) {
				promise.catch(() => undefined); // Nobody waits for those that were in memory already.
				reject(error);
			}
		});
	}

	/** Small objects would waste most of the buffer of a block. */
	#memoryOf({sizeBytes}: ObjectVersion): MemoryBlocks {
		return sizeBytes <= sliceBytes ? this.slices.memory : this.#memory;
	}

	#versionIdOf(version: ObjectVersion): VersionId {
		return this.#versionIds.of(version);
	}
}

/** How many blocks a checksum of the object is of. */
const pieceBlocksOf = ({blockSums}: ObjectVersion): number =>
	blockSums === undefined ? 1 : (parseBlockSums(blockSums)?.pieceBytes ?? blockBytes) / blockBytes;

/** Of the memory, for slices. */
const sliceShare = 1 / 8;

const blockIdOf = (versionId: VersionId, index: number): string => `${versionId}-${index}`;
