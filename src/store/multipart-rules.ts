import assert from 'node:assert/strict';

/** The highest part number (Amazon S3 User Guide, "Multipart upload limits"). */
const partNumberMax = 10_000;

export const assertPartNumber = (partNumber: number): void => {
	assert(
		Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= partNumberMax,
		`A part number must be from 1 to ${partNumberMax}: current value is ${partNumber}`,
	);
};
