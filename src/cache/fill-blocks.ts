import type {ObjectVersion} from '../store/object-store.ts';
import {blockBytes} from './block-cache.ts';
import {type RangeSource, receiveRange} from './receive-range.ts';

export type BlockRun = {
	/** The index of the first block. */
	readonly first: number;
	/** One for each block. */
	readonly buffers: readonly Buffer[];
	/** The bytes of the run, where a request has begun to bring them already. */
	readonly body?: AsyncIterable<Uint8Array> | undefined;
};

/**
Fills the buffers of consecutive blocks of a version with one request. `onFilled` gets the position of each block and
the count of its bytes as soon as they are there; of the last block when the body has ended well, as only then its
checksum was compared.
*/
export const fillBlocks = async (
	source: RangeSource,
	version: ObjectVersion,
	{first, buffers, body}: BlockRun,
	onFilled: (position: number, length: number) => void,
): Promise<void> => {
	const start = first * blockBytes;
	const end = Math.min(start + buffers.length * blockBytes, version.sizeBytes);
	let position = 0;
	let filled = 0;
	const take = (bytes: Uint8Array): void => {
		for (let taken = 0; taken < bytes.length; ) {
			const length = Math.min(blockBytes, end - start - position * blockBytes);
			const count = Math.min(bytes.length - taken, length - filled);
			// The blocks are as long as the range, and no more bytes than that come.
			buffers[position]!.set(count === bytes.length ? bytes : bytes.subarray(taken, taken + count), filled);
			taken += count;
			filled += count;
			if (filled === length && position < buffers.length - 1) {
				onFilled(position, filled);
				position++;
				filled = 0;
			}
		}
	};

	await receiveRange(source, version, {start, end, body}, take);
	onFilled(position, filled);
};
