import {type Counter, type MetricSink, noMetrics} from '../model/metric-sink.ts';
import {blockBytes} from './block-cache.ts';

/** A block in memory, or on its way there. Pinned while somebody copies from or into it. */
export type MemoryBlock = {
	buffer: Buffer;
	/** Valid bytes; set when it is loaded. */
	length: number;
	pins: number;
	readonly loaded: Promise<void>;
	isSettled: boolean;
	/** What the first read that needs it counts: where it came from. Every later one is a hit in memory. */
	firstUse: Counter | undefined;
};

/**
The blocks in memory, the least recently used first to go. Buffers are used again, so that a long read does
not depend on how fast the garbage collector is.
*/
export class MemoryBlocks {
	readonly #bufferBytes: number;
	readonly #blocks = new Map<string, MemoryBlock>();
	readonly #free: Buffer[] = [];
	readonly #countMax: number;
	readonly #evictions: Counter;
	#bufferCount = 0;

	/** Each block is in a buffer of `bufferBytes`, which is that of a whole block unless they are known to be shorter. */
	constructor(options: {bytesMax: number; bufferBytes?: number; metrics?: MetricSink | undefined}) {
		this.#bufferBytes = options.bufferBytes ?? blockBytes;
		this.#countMax = Math.max(4, Math.floor(options.bytesMax / this.#bufferBytes));
		this.#evictions = (options.metrics ?? noMetrics).counter('pnx_volume_cache_evictions_total', {tier: 'memory'});
	}

	/** Of all buffers, also of those that wait to be used again. */
	get usedBytes(): number {
		return this.#bufferCount * this.#bufferBytes;
	}

	/** How many more blocks fit without evicting one that is in use. */
	get spareCount(): number {
		let busy = 0;
		for (const block of this.#blocks.values()) {
			busy += block.pins > 0 || !block.isSettled ? 1 : 0;
		}

		return this.#countMax - busy;
	}

	/** The block, now the most recently used. */
	get(id: string): MemoryBlock | undefined {
		const block = this.#blocks.get(id);
		if (block !== undefined) {
			this.#blocks.delete(id);
			this.#blocks.set(id, block);
		}

		return block;
	}

	has(id: string): boolean {
		return this.#blocks.has(id);
	}

	/**
	A new block that `load` fills; it is forgotten when that fails. The bound may be passed while all blocks are in
	use.
	*/
	add(id: string, load: (buffer: Buffer) => Promise<number>): MemoryBlock {
		this.#evict();
		const buffer = this.#free.pop() ?? this.#allocate();
		const loading = load(buffer);
		const block: MemoryBlock = {
			buffer,
			length: 0,
			pins: 0,
			isSettled: false,
			firstUse: undefined,
			loaded: loading.then(
				length => {
					block.length = length;
					block.isSettled = true;
				},
				(error: unknown) => {
					block.isSettled = true;
					if (this.#blocks.get(id) === block) {
						this.#blocks.delete(id);
					}

					this.#recycle(block);
					throw error;
				},
			),
		};
		// Whoever needs the block awaits it; the failure of a block that was only read ahead concerns nobody.
		block.loaded.catch(() => undefined);
		this.#blocks.set(id, block);
		return block;
	}

	unpin(block: MemoryBlock): void {
		block.pins--;
	}

	clear(): void {
		this.#blocks.clear();
		this.#free.length = 0;
	}

	#allocate(): Buffer {
		this.#bufferCount++;
		return Buffer.allocUnsafeSlow(this.#bufferBytes);
	}

	/** Makes room for one more: more than one block goes when there were too many while all were in use. */
	#evict(): void {
		for (const [id, block] of this.#blocks) {
			if (this.#free.length > 0 || this.#bufferCount < this.#countMax) {
				return;
			}

			if (block.pins === 0 && block.isSettled) {
				this.#blocks.delete(id);
				this.#recycle(block);
				this.#evictions.value++;
			}
		}
	}

	#recycle(block: MemoryBlock): void {
		// A failed block may still be pinned by those who learn of the failure: its buffer is left to the collector.
		if (block.pins === 0 && this.#free.length + this.#blocks.size < this.#countMax) {
			this.#free.push(block.buffer);
		} else {
			this.#bufferCount--;
		}
	}
}
