import {createHash} from 'node:crypto';

/** The unit of caching: reads are widened to whole blocks of this size. */
export const blockBytes = 2 ** 20;

/** Names the bytes of one version of one object. */
export type VersionId = string;

/** Equal for equal bytes of one key; fit for a file name. */
export const versionIdOf = (version: {key: string; etag: string; sizeBytes: number}): VersionId =>
	createHash('sha256').update(`${version.key}\0${version.etag}\0${version.sizeBytes}`).digest('hex').slice(0, 40);

/**
Clean blocks outside memory. An implementation may lose any block at any time; it never answers wrong bytes.
*/
export interface BlockCache {
	/** Whether the block is here, as far as memory knows. */
	has(version: VersionId, index: number): boolean;
	/**
	The block's bytes into `target`; how many there were, or `undefined` when the block is not here (or was damaged).
	*/
	get(version: VersionId, index: number, target: Uint8Array): Promise<number | undefined>;
	/**
	Keeps a block if it can. The bytes are not looked at any more once the promise is resolved. Never fails. What is busy
	drops the block, unless it `isWaitedFor`. `crc` saves it the time to make the CRC-32 of the bytes.
	*/
	put(
		version: VersionId,
		index: number,
		bytes: Uint8Array,
		options?: {isWaitedFor?: boolean; crc?: number | undefined},
	): Promise<void>;
	/** Bytes in use. */
	readonly usedBytes: number;
	close(): Promise<void>;
}

/** No cache: `cache-size: 0`. */
export const noBlockCache: BlockCache = {
	has: () => false,
	async get() {
		return undefined;
	},
	async put() {
		// Nothing is kept.
	},
	usedBytes: 0,
	async close() {
		// Nothing is open.
	},
};
