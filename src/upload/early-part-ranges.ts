import type {ByteRange} from '../store/object-store.ts';
import {partCountMax} from './upload-plan.ts';

/**
Where the part with this index (from 0) lies in a file whose size is not known yet: each 1,000 parts are twice as large
as those before, up to 512 MiB. `hasEqualParts`: for servers that take parts of one size only.
*/
export const earlyPartRange = (
	index: number,
	{partBytes, hasEqualParts}: {partBytes: number; hasEqualParts: boolean},
): ByteRange => {
	let [start, bytes, left] = [0, partBytes, index];
	while (left >= equalPartCount && !hasEqualParts) {
		start += bytes * equalPartCount;
		bytes = Math.max(partBytes, Math.min(bytes * 2, earlyPartBytesMax));
		left -= equalPartCount;
	}

	return {start: start + left * bytes, end: start + (left + 1) * bytes};
};

/** The parts of a file of this size; `undefined` when they are too many. */
export const earlyPartRanges = (
	sizeBytes: number,
	options: {partBytes: number; hasEqualParts: boolean},
): ByteRange[] | undefined => {
	const ranges: ByteRange[] = [];
	for (let end = 0; end < sizeBytes; ) {
		const range = earlyPartRange(ranges.length, options);
		end = Math.min(range.end, sizeBytes);
		ranges.push({start: range.start, end});
		if (ranges.length > partCountMax) {
			return undefined;
		}
	}

	return ranges;
};

const equalPartCount = 1000;
/** A part is in memory as a whole while it is sent. */
const earlyPartBytesMax = 2 ** 29;
