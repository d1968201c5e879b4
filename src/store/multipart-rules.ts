import assert from 'node:assert/strict';

/** The smallest part that is not the last (Amazon S3 User Guide, "Multipart upload limits"). */
export const partBytesMin = 5 * 2 ** 20;

/** The highest part number. */
export const partNumberMax = 10_000;

export const assertPartNumber = (partNumber: number): void => {
	assert(
		Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= partNumberMax,
		`A part number must be from 1 to ${partNumberMax}: current value is ${partNumber}`,
	);
};
