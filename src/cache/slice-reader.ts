import {BoundedMap} from '../model/bounded-map.ts';
import type {MetricSink} from '../model/metric-sink.ts';
import {StoreError} from '../model/store-error.ts';
import {parseBlockSums} from '../store/block-sums.ts';
import type {ByteRange, ObjectVersion} from '../store/object-store.ts';
import {blockBytes} from './block-cache.ts';
import type {CacheMetrics} from './cache-metrics.ts';
import type {BlockSource} from './fill-blocks.ts';
import {type MemoryBlock, MemoryBlocks} from './memory-blocks.ts';
import {receiveRange} from './receive-range.ts';
import type {VersionIds} from './version-ids.ts';

/** The unit of what a random reader gets. */
export const sliceBytes = 2 ** 15;

type SliceReaderOptions = {
	readonly source: BlockSource;
	readonly versionIds: VersionIds;
	readonly memoryBytesMax: number;
	/** The connection does not protect the bytes: of those that have a checksum, two copies are compared. */
	readonly fetchesTwice: boolean;
	/** How much one fetch of a whole block brings. */
	readonly wholeBytesOf: (version: ObjectVersion) => number;
	readonly cacheMetrics: CacheMetrics;
	readonly metrics?: MetricSink | undefined;
};

/**
Brings slices of blocks for readers that jump about. A slice cannot be compared with the checksum of its block. Where
nothing else protects it, it is asked for twice at the same time, and used when both copies are the same. Slices stay in
memory only: what is on disk was compared with its checksum.
*/
export class SliceReader {
	/** Objects that are no longer than a slice are there, too. */
	readonly memory: MemoryBlocks;
	readonly #options: SliceReaderOptions;
	/** How much of each stretch that would be fetched whole has come in slices. */
	readonly #fetchedBytes = new BoundedMap<string, number>({countMax: stretchCountMax});

	constructor(options: SliceReaderOptions) {
		this.#options = options;
		this.memory = new MemoryBlocks({
			bytesMax: options.memoryBytesMax,
			bufferBytes: sliceBytes,
			metrics: options.metrics,
		});
	}

	get memoryBytes(): number {
		return this.memory.usedBytes;
	}

	/** Whether slices are better than whole blocks: not in a small object, nor where much of it has come in slices. */
	isBetter(version: ObjectVersion, {start, end}: ByteRange): boolean {
		if (version.sizeBytes <= blockBytes) {
			return false;
		}

		const wholeBytes = this.#options.wholeBytesOf(version);
		for (let index = Math.floor(start / wholeBytes); index <= Math.floor((end - 1) / wholeBytes); index++) {
			if ((this.#fetchedBytes.get(this.#idOf(version, index)) ?? 0) >= wholeBytes / 2) {
				return false;
			}
		}

		return true;
	}

	/**
	Fills `target` with the bytes from `offset` on; all of them must exist. Fails as `ObjectReader.read`; with `corrupt`
	also when two copies differ.
	*/
	async read(version: ObjectVersion, offset: number, target: Uint8Array): Promise<void> {
		const first = Math.floor(offset / sliceBytes);
		const last = Math.floor((offset + target.length - 1) / sliceBytes);
		this.#start(version, first, last);
		const slices: MemoryBlock[] = [];
		for (let index = first; index <= last; index++) {
			slices.push(this.#pin(version, index));
		}

		try {
			for (const [position, slice] of slices.entries()) {
				await slice.loaded;
				const sliceStart = (first + position) * sliceBytes;
				const from = Math.max(offset, sliceStart);
				const to = Math.min(offset + target.length, sliceStart + slice.length);
				slice.buffer.copy(target, from - offset, from - sliceStart, to - sliceStart);
			}
		} finally {
			for (const slice of slices) {
				this.memory.unpin(slice);
			}
		}
	}

	/** Forgets what is in memory. */
	clear(): void {
		this.memory.clear();
	}

	#pin(version: ObjectVersion, index: number): MemoryBlock {
		const id = this.#idOf(version, index);
		if (!this.memory.has(id)) {
			this.#fetch(version, index, 1); // It had to go for another one of this read.
		}

		const slice = this.memory.get(id)!; // It is there, or on its way by now.
		slice.pins++;
		(slice.firstUse ?? this.#options.cacheMetrics.memoryHits).value++;
		slice.firstUse = undefined;
		return slice;
	}

	/** One request for each run of slices of [first, last] that are not in memory. */
	#start(version: ObjectVersion, first: number, last: number): void {
		// What comes once may be twice as much.
		const width = this.#comesTwice(version) ? 1 : 2;
		const end = Math.min(Math.ceil((last + 1) / width) * width, Math.ceil(version.sizeBytes / sliceBytes));
		for (let index = first - (first % width); index < end; ) {
			let runEnd = index;
			while (runEnd < end && !this.memory.has(this.#idOf(version, runEnd))) {
				runEnd++;
			}

			const isNeeded = runEnd > Math.max(index, first) && index <= last;
			if (isNeeded) {
				this.#fetch(version, index, runEnd - index);
			}

			index = Math.max(runEnd, index + 1);
		}
	}

	#fetch(version: ObjectVersion, first: number, count: number): void {
		const {cacheMetrics} = this.#options;
		const start = first * sliceBytes;
		const end = Math.min(start + count * sliceBytes, version.sizeBytes);
		const loading = Promise.withResolvers<void>();
		const slices = Array.from({length: count}, (_, position) => {
			const length = Math.min(sliceBytes, end - start - position * sliceBytes);
			const slice = this.memory.add(this.#idOf(version, first + position), async () => {
				await loading.promise;
				return length;
			});
			slice.firstUse = position === 0 ? cacheMetrics.misses : cacheMetrics.memoryHits;
			return slice;
		});
		cacheMetrics.fetchedBlocks.value++;
		this.#noteFetched(version, start, (end - start) * (this.#comesTwice(version) ? 2 : 1));
		const buffers = slices.map(({buffer}) => buffer);
		this.#receive(version, {start, end}, buffers).then(loading.resolve, loading.reject);
	}

	/** Nobody writes to the buffers any more when it is settled. */
	async #receive(version: ObjectVersion, range: ByteRange, buffers: readonly Buffer[]): Promise<void> {
		const {source} = this.#options;
		const isTwice = this.#comesTwice(version);
		const second = isTwice ? secondRangeOf(version, range) : undefined;
		const copy = Buffer.allocUnsafe(second === undefined ? 0 : second.end - second.start);
		const results = await Promise.allSettled([
			receiveInto(source, version, range, (position, bytes) => scatter(buffers, position, bytes)),
			second === undefined
				? undefined
				: receiveInto(source, version, second, (position, bytes) => copy.set(bytes, position)),
		]);
		for (const result of results) {
			if (result.status === 'rejected') {
				throw result.reason;
			}
		}

		const length = range.end - range.start;
		if (second === undefined) {
			source.checksums.note(version.key, length, {isCompared: false});
			return;
		}

		if (!isSame(buffers, copy.subarray(range.start - second.start), length)) {
			source.checksums.damages.value++;
			throw new StoreError('corrupt', `wrong bytes from ${range.start} to ${range.end}: two copies of them differ`);
		}

		source.checksums.noteTwice(length);
	}

	#comesTwice(version: ObjectVersion): boolean {
		return (
			this.#options.fetchesTwice &&
			version.blockSums !== undefined &&
			parseBlockSums(version.blockSums)?.sizeBytes === version.sizeBytes
		);
	}

	#noteFetched(version: ObjectVersion, start: number, bytes: number): void {
		const id = this.#idOf(version, Math.floor(start / this.#options.wholeBytesOf(version)));
		this.#fetchedBytes.set(id, (this.#fetchedBytes.get(id) ?? 0) + bytes);
	}

	#idOf(version: ObjectVersion, index: number): string {
		return `${this.#options.versionIds.of(version)}-${index}`;
	}
}

const receiveInto = async (
	source: BlockSource,
	version: ObjectVersion,
	range: ByteRange,
	put: (position: number, bytes: Uint8Array) => void,
): Promise<void> => {
	let position = 0;
	await receiveRange(source, version, range, bytes => {
		put(position, bytes);
		position += bytes.length;
	});
};

const scatter = (buffers: readonly Buffer[], position: number, bytes: Uint8Array): void => {
	for (let taken = 0; taken < bytes.length; ) {
		const [index, offset] = [Math.floor((position + taken) / sliceBytes), (position + taken) % sliceBytes];
		const count = Math.min(bytes.length - taken, sliceBytes - offset);
		buffers[index]!.set(bytes.subarray(taken, taken + count), offset); // No more bytes come than there are buffers for.
		taken += count;
	}
};

const isSame = (buffers: readonly Buffer[], copy: Buffer, length: number): boolean =>
	buffers.every((buffer, index) => {
		const start = index * sliceBytes;
		const end = Math.min(start + sliceBytes, length);
		return buffer.subarray(0, end - start).equals(copy.subarray(start, end));
	});

/**
Some bytes more before or behind: what damages each message at the same place does not damage the same byte of the file
then.
*/
const secondRangeOf = ({sizeBytes}: ObjectVersion, {start, end}: ByteRange): ByteRange =>
	start >= shiftBytes ? {start: start - shiftBytes, end} : {start, end: Math.min(end + shiftBytes, sizeBytes)};

const shiftBytes = 64;
const stretchCountMax = 10_000;
