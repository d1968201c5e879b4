import {StoreError, isStoreError} from '../model/store-error.ts';
import type {GetResult, ObjectVersion} from '../store/object-store.ts';
import {blockBytes} from './block-cache.ts';
import {BlockFilling} from './block-filling.ts';
import type {ChecksumAccount} from './checksum-account.ts';
import {type RangeSource, receiveRange} from './receive-range.ts';

export type BlockSource = RangeSource & {readonly checksums: ChecksumAccount};

export type BlockRun = {
	/** The index of the first block. */
	readonly first: number;
	/** One for each block. */
	readonly buffers: readonly Buffer[];
	/** The bytes of the run, where a request has begun to bring them already. */
	readonly begun?: GetResult | undefined;
};

const attemptCountMax = 4;

/**
Fills the buffers of consecutive blocks of a version with one request. `onFilled` gets the position of each block and
the count of its bytes as soon as they are there and were compared with their checksum, where there is one. What does
not have its checksum is asked for again; `corrupt` when it stays so.
*/
export const fillBlocks = async (
	source: BlockSource,
	version: ObjectVersion,
	{first, buffers, begun}: BlockRun,
	onFilled: (position: number, length: number, crc: number | undefined) => void,
): Promise<void> => {
	const end = Math.min((first + buffers.length) * blockBytes, version.sizeBytes);
	const filling = new BlockFilling({version, first, buffers, checksums: source.checksums, onFilled});
	for (let attempt = 1; ; attempt++) {
		try {
			const range = {start: filling.nextOffset, end, begun: attempt === 1 ? begun : undefined};
			await receiveRange(source, version, range, (bytes, answer) => {
				filling.take(bytes, answer);
			});
			filling.finish();
			return;
		} catch (error) {
			if (!isStoreError(error, 'corrupt')) {
				throw error;
			}

			source.checksums.damages.value++;
			if (attempt >= attemptCountMax) {
				throw toDamaged(version, error, attempt);
			}

			filling.restart();
		}
	}
};

const toDamaged = ({key}: ObjectVersion, cause: StoreError, attempts: number): StoreError =>
	new StoreError(
		'corrupt',
		`Cannot read ${key}: its bytes came ${attempts} times without the checksum that they were stored with (${cause.message}): use https or repair the network if other files fail too, otherwise restore the file; if another program changed the object and kept its metadata, copy it without the key pnx-crc32`,
		{cause},
	);
