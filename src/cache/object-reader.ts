import type {MetricSink} from '../model/metric-sink.ts';
import {StoreError, isStoreError} from '../model/store-error.ts';
import type {ByteRange, ObjectHead, ObjectStore, ObjectVersion} from '../store/object-store.ts';
import {type BlockCache, type VersionId, blockBytes, versionIdOf} from './block-cache.ts';
import {type CacheMetrics, createCacheMetrics} from './cache-metrics.ts';
import {fillBlock} from './fill-block.ts';
import {MemoryBlocks, type MemoryBlock} from './memory-blocks.ts';
import {ReadSequence} from './read-sequence.ts';
import {receiveRange} from './receive-range.ts';

/**
Reads byte ranges of versions of objects through memory and the disk cache. All bytes of one read come from
one version: every request carries its etag.
*/
export class ObjectReader {
	readonly #store: ObjectStore;
	readonly #blockCache: BlockCache;
	readonly #memory: MemoryBlocks;
	readonly #metrics: CacheMetrics;
	readonly #fetchBlocksMax: number;
	readonly #windowBytesMax: number;
	readonly #closing = new AbortController();
	readonly #versionIds = new WeakMap<ObjectVersion, VersionId>();

	constructor(options: {
		store: ObjectStore;
		blockCache: BlockCache;
		memoryBytesMax: number;
		partBytes: number;
		metrics?: MetricSink | undefined;
	}) {
		this.#store = options.store;
		this.#blockCache = options.blockCache;
		this.#memory = new MemoryBlocks({bytesMax: options.memoryBytesMax, metrics: options.metrics});
		this.#metrics = createCacheMetrics(options.metrics);
		this.#fetchBlocksMax = Math.max(1, Math.min(16, Math.floor(options.partBytes / blockBytes)));
		this.#windowBytesMax = Math.max(blockBytes, Math.floor(options.memoryBytesMax / 2));
	}

	get memoryBytes(): number {
		return this.#memory.usedBytes;
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

		const first = Math.floor(offset / blockBytes);
		const last = Math.floor((offset + target.length - 1) / blockBytes);
		const aheadCount = sequence?.advance(offset, target.length) ?? 0;
		const blocks = this.#request(version, first, last, aheadCount, sequence);
		try {
			for (const [position, block] of blocks.entries()) {
				await block.loaded;
				const blockStart = (first + position) * blockBytes;
				const from = Math.max(offset, blockStart);
				const to = Math.min(offset + target.length, blockStart + blockBytes);
				if (to - blockStart > block.length) {
					throw new StoreError(
						'corrupt',
						`Reading ${version.key}: block ${first + position} has ${block.length} bytes and ${to - blockStart} are needed`,
					);
				}

				block.buffer.copy(target, from - offset, from - blockStart, to - blockStart);
			}
		} finally {
			for (const block of blocks) {
				this.#memory.unpin(block);
			}
		}
	}

	/**
	The newest version of a key and, when it is the known one and fits into a block, its bytes on their way: one
	request for opening and reading a small file. `undefined` when there is no object.
	*/
	async openSmall(key: string, known: ObjectVersion): Promise<ObjectHead | undefined> {
		const versionId = this.#versionIdOf(known);
		const id = blockIdOf(versionId, 0);
		if (
			known.sizeBytes === 0 ||
			known.sizeBytes > blockBytes ||
			this.#memory.has(id) ||
			this.#blockCache.has(versionId, 0)
		) {
			return this.#store.head(key);
		}

		const result = await this.#store.get(key, {signal: this.#closing.signal});
		if (result === undefined) {
			return undefined;
		}

		const {object, body} = result;
		if (object.etag !== known.etag || object.sizeBytes !== known.sizeBytes || this.#memory.has(id)) {
			await body[Symbol.asyncIterator]().return?.();
			return object;
		}

		const loaded = Promise.withResolvers<number>();
		const block = this.#memory.add(id, buffer => {
			void fillBlock(body, buffer, {key, bytes: known.sizeBytes})
				.catch(async (error: unknown) => {
					if (isStoreError(error) && error.isTransient) {
						return this.#fetchBlock(known, 0, buffer);
					}

					throw error;
				})
				.then(loaded.resolve, loaded.reject);
			return loaded.promise;
		});
		block.pins++;
		block.firstUse = this.#metrics.misses;
		this.#metrics.fetchedBlocks.value++;
		void block.loaded
			.then(async () => this.#blockCache.put(versionId, 0, block.buffer.subarray(0, block.length)))
			.catch(() => undefined)
			.finally(() => {
				this.#memory.unpin(block);
			});
		return object;
	}

	/** Ends reads that are on their way. */
	async close(): Promise<void> {
		this.#closing.abort();
		this.#memory.clear();
	}

	/** Starts what is needed of [first, last] and `aheadCount` more; the needed blocks are pinned. */
	#request(
		version: ObjectVersion,
		first: number,
		last: number,
		aheadCount: number,
		sequence: ReadSequence | undefined,
	): MemoryBlock[] {
		const versionId = this.#versionIdOf(version);
		const lastOfObject = Math.floor((version.sizeBytes - 1) / blockBytes);
		this.#start(version, versionId, first, last);
		const needed: MemoryBlock[] = [];
		for (let index = first; index <= last; index++) {
			const block = this.#memory.get(blockIdOf(versionId, index)) ?? this.#fetchRun(version, versionId, index, 1);
			block.pins++;
			(block.firstUse ?? this.#metrics.memoryHits).value++;
			block.firstUse = undefined;
			needed.push(block);
		}

		// Ahead in requests as large as possible: only when half of a full one, or the end of the object, is missing.
		const aheadLast = Math.min(last + aheadCount, lastOfObject);
		let missing = last + 1;
		while (missing <= aheadLast && this.#memory.has(blockIdOf(versionId, missing))) {
			missing++;
		}

		const missingCount = aheadLast - missing + 1;
		if (
			missingCount > 0 &&
			(missingCount >= Math.min(aheadCount, this.#fetchBlocksMax) / 2 || aheadLast === lastOfObject)
		) {
			const spareCount = this.#memory.spareCount;
			if (spareCount < missingCount) {
				sequence?.shrink();
			}

			this.#start(version, versionId, missing, Math.min(aheadLast, missing + spareCount - 1));
		}

		return needed;
	}

	#versionIdOf(version: ObjectVersion): VersionId {
		let versionId = this.#versionIds.get(version);
		if (versionId === undefined) {
			versionId = versionIdOf(version);
			this.#versionIds.set(version, versionId);
		}

		return versionId;
	}

	/** Starts loading the blocks of [first, last] that are not in memory: from disk one by one, from S3 in runs. */
	#start(version: ObjectVersion, versionId: string, first: number, last: number): void {
		let runStart: number | undefined;
		for (let index = first; index <= last + 1; index++) {
			const isMissing = index <= last && !this.#memory.has(blockIdOf(versionId, index));
			const isOnDisk = isMissing && this.#blockCache.has(versionId, index);
			const isWanted = isMissing && !isOnDisk;
			if (runStart !== undefined && (!isWanted || index - runStart >= this.#fetchBlocksMax)) {
				this.#fetchRun(version, versionId, runStart, index - runStart);
				runStart = undefined;
			}

			if (isWanted) {
				runStart ??= index;
			} else if (isOnDisk) {
				this.#memory.add(
					blockIdOf(versionId, index),
					async buffer =>
						(await this.#blockCache.get(versionId, index, buffer)) ?? this.#fetchBlock(version, index, buffer),
				).firstUse = this.#metrics.diskHits;
			}
		}
	}

	/** One request for consecutive blocks, each usable as soon as its bytes are there. The first of them is returned. */
	#fetchRun(version: ObjectVersion, versionId: string, first: number, count: number): MemoryBlock {
		const targets: Array<{buffer: Buffer; loaded: PromiseWithResolvers<number>}> = [];
		const blocks: MemoryBlock[] = [];
		for (let index = first; index < first + count; index++) {
			const loaded = Promise.withResolvers<number>();
			blocks.push(
				this.#memory.add(blockIdOf(versionId, index), buffer => {
					targets.push({buffer, loaded});
					return loaded.promise;
				}),
			);
		}

		this.#metrics.fetchedBlocks.value += count;
		for (const block of blocks) {
			block.firstUse = this.#metrics.misses;
		}

		void this.#fill(version, versionId, first, targets, blocks);
		return blocks[0]!; // The count is at least one.
	}

	async #fill(
		version: ObjectVersion,
		versionId: string,
		first: number,
		targets: ReadonlyArray<{buffer: Buffer; loaded: PromiseWithResolvers<number>}>,
		blocks: readonly MemoryBlock[],
	): Promise<void> {
		let position = 0;
		let filled = 0;
		const start = first * blockBytes;
		const end = Math.min(start + targets.length * blockBytes, version.sizeBytes);
		const lengthOf = (index: number) => Math.min(blockBytes, end - start - index * blockBytes);
		try {
			await this.#receive(version, {start, end}, bytes => {
				for (let taken = 0; taken < bytes.length; ) {
					const target = targets[position]!; // The blocks are as long as the range, and no more bytes than that come.
					const count = Math.min(bytes.length - taken, lengthOf(position) - filled);
					target.buffer.set(
						taken === 0 && count === bytes.length ? bytes : bytes.subarray(taken, taken + count),
						filled,
					);
					taken += count;
					filled += count;
					// The last block counts when the body ends well: only then its checksum was looked at.
					if (filled === lengthOf(position) && position < targets.length - 1) {
						this.#settle(versionId, first + position, target, blocks[position]!, filled); // As many blocks as targets.
						position++;
						filled = 0;
					}
				}
			});
			this.#settle(versionId, first + position, targets[position]!, blocks[position]!, filled);
		} catch (error) {
			for (const {loaded} of targets.slice(position)) {
				loaded.reject(error);
			}
		}
	}

	/** A block is complete: to those who wait for it, and to the disk. */
	#settle(
		versionId: string,
		index: number,
		target: {buffer: Buffer; loaded: PromiseWithResolvers<number>},
		block: MemoryBlock,
		length: number,
	): void {
		block.pins++;
		target.loaded.resolve(length);
		void this.#blockCache.put(versionId, index, target.buffer.subarray(0, length)).finally(() => {
			this.#memory.unpin(block);
		});
	}

	async #fetchBlock(version: ObjectVersion, index: number, buffer: Buffer): Promise<number> {
		const start = index * blockBytes;
		const end = Math.min(start + blockBytes, version.sizeBytes);
		let filled = 0;
		await this.#receive(version, {start, end}, bytes => {
			buffer.set(bytes, filled);
			filled += bytes.length;
		});
		return filled;
	}

	async #receive(version: ObjectVersion, range: ByteRange, take: (bytes: Uint8Array) => void): Promise<void> {
		await receiveRange(
			{store: this.#store, signal: this.#closing.signal, resumptions: this.#metrics.resumptions},
			version,
			range,
			take,
		);
	}
}

const blockIdOf = (versionId: string, index: number): string => `${versionId}-${index}`;
