import {crc32} from 'node:zlib';
import {StoreError} from '../model/store-error.ts';
import {type BlockSums, crcOfRange, parseBlockSums} from '../store/block-sums.ts';
import type {GetResult, ObjectVersion} from '../store/object-store.ts';
import {blockBytes} from './block-cache.ts';
import type {ChecksumAccount} from './checksum-account.ts';

type FillingOptions = {
	readonly version: ObjectVersion;
	readonly first: number;
	readonly buffers: readonly Buffer[];
	readonly checksums: ChecksumAccount;
	/** `crc` of the block, where it was compared by itself. */
	readonly onFilled: (position: number, length: number, crc: number | undefined) => void;
};

/**
The buffers of a run of blocks, while bytes come in. Blocks are handed over when all that one checksum is of is there
and has it: a piece of the object by its metadata, otherwise all of the answer by its end where the store compares
that. Blocks that no checksum is of as a whole are handed over at once.
*/
export class BlockFilling {
	readonly #options: FillingOptions;
	/** The block that is being filled, and how far it is. */
	#position = 0;
	#filledBytes = 0;
	/** So many blocks were handed over. */
	#handedCount = 0;
	#answer: GetResult | undefined;
	#sums: BlockSums | undefined;

	constructor(options: FillingOptions) {
		this.#options = options;
	}

	/** The offset in the object of the first byte that was not handed over. */
	get nextOffset(): number {
		return (this.#options.first + this.#handedCount) * blockBytes;
	}

	/** The next bytes, which this answer has brought. Not more than the run has. */
	take(bytes: Uint8Array, answer: GetResult): void {
		const {buffers} = this.#options;
		this.#use(answer);
		for (let taken = 0; taken < bytes.length; ) {
			const length = this.#lengthOf(this.#position);
			const count = Math.min(bytes.length - taken, length - this.#filledBytes);
			const some = count === bytes.length ? bytes : bytes.subarray(taken, taken + count);
			buffers[this.#position]!.set(some, this.#filledBytes); // No more bytes come than there are blocks for.
			taken += count;
			this.#filledBytes += count;
			if (this.#filledBytes === length && this.#position < buffers.length - 1) {
				this.#position++;
				this.#filledBytes = 0;
				this.#handOver({isWhole: false});
			}
		}
	}

	/** All bytes are there, and the body has ended well. */
	finish(): void {
		this.#position++;
		this.#handOver({isWhole: true});
	}

	/** What was not handed over comes again. */
	restart(): void {
		this.#position = this.#handedCount;
		this.#filledBytes = 0;
		this.#answer = undefined;
	}

	#use(answer: GetResult): void {
		if (this.#answer !== answer) {
			this.#answer = answer;
			this.#sums = parseBlockSums(answer.object.blockSums ?? '');
		}
	}

	#handOver({isWhole}: {isWhole: boolean}): void {
		while (this.#handedCount < this.#position) {
			const piece = this.#pieceAt(this.#handedCount);
			if (piece === undefined) {
				if (this.#answer?.isChecked === true && !isWhole) {
					return;
				}

				this.#give(this.#handedCount + 1, {isCompared: this.#answer?.isChecked === true});
				continue;
			}

			if (piece.end > this.#position) {
				return;
			}

			this.#assertCrc(piece);
			this.#give(piece.end, {isCompared: true, crc: piece.crc});
		}
	}

	/** The piece that begins with this block, when the run has all of it, and what its CRC must be. */
	#pieceAt(position: number): {end: number; crc: number} | undefined {
		const {first, buffers, version} = this.#options;
		const sums = this.#sums;
		if (sums?.sizeBytes !== version.sizeBytes) {
			return undefined;
		}

		const start = (first + position) * blockBytes;
		const endOffset = Math.min(start + sums.pieceBytes, version.sizeBytes);
		const end = Math.ceil(endOffset / blockBytes) - first;
		const crc = end > buffers.length ? undefined : crcOfRange(sums, start, endOffset);
		return crc === undefined ? undefined : {end, crc};
	}

	#assertCrc({end, crc: expected}: {end: number; crc: number}): void {
		const {buffers, first} = this.#options;
		let crc = 0;
		for (let position = this.#handedCount; position < end; position++) {
			crc = crc32(buffers[position]!.subarray(0, this.#lengthOf(position)), crc);
		}

		if (crc !== expected) {
			const start = (first + this.#handedCount) * blockBytes;
			throw new StoreError('corrupt', `wrong bytes from ${start} to ${start + (end - this.#handedCount) * blockBytes}`);
		}
	}

	#give(end: number, {isCompared, crc}: {isCompared: boolean; crc?: number}): void {
		const {version, checksums, onFilled} = this.#options;
		const isOne = end === this.#handedCount + 1;
		for (; this.#handedCount < end; this.#handedCount++) {
			const length = this.#lengthOf(this.#handedCount);
			checksums.note(version.key, length, {isCompared});
			onFilled(this.#handedCount, length, isOne ? crc : undefined);
		}
	}

	#lengthOf(position: number): number {
		const {first, version} = this.#options;
		return Math.min(blockBytes, version.sizeBytes - (first + position) * blockBytes);
	}
}
