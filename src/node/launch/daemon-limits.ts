import {parseVolumeOptions} from '../../model/volume-options.ts';

const mebibyte = 2 ** 20;

/** What the option `memory` comes to when it is 0 on a machine with enough of it (`cli/memory-budget.ts`). */
const dataBytesDefault = 128 * mebibyte;

/**
Node.js with its code and heap, names and attributes, buffers of the native threads, and the page cache of a few
staged files.
*/
const processBytes = 512 * mebibyte;

/** Open files: one or two for each file that a pod has open. */
export const descriptorCountMax = 1_048_576;

/** Nearly the last to be killed when the node is short of memory: with it go the files of every pod of the volume. */
export const oomScoreAdjustment = -900;

export type MemoryLimits = {
	/** Above this the kernel takes back page cache, and slows the daemon down. */
	readonly highBytes: number;
	/** Above this something leaks, and a restart by the watch is better than a node without memory. */
	readonly maxBytes: number;
};

/**
Limits for the process of a volume with these options: what `memory` says for data in flight, and room for the rest
of it.
*/
export const planMemoryLimits = (options: Readonly<Record<string, string>>): MemoryLimits => {
	const dataBytes = parseVolumeOptions(options).memoryBytesMax || dataBytesDefault;
	return {highBytes: dataBytes + processBytes, maxBytes: 2 * (dataBytes + processBytes)};
};
