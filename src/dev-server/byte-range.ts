import {S3Error} from './s3-error.ts';

/** Bytes `start` up to but not including `end`. */
export type ByteRange = {readonly start: number; readonly end: number};

/**
The bytes that a Range header means; `undefined` for the whole: S3 ignores what it cannot read, and lists of ranges.
*/
export const parseRangeHeader = (header: string | undefined, sizeBytes: number): ByteRange | undefined => {
	const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
	if (header === undefined || match === null || (match[1] === '' && match[2] === '')) {
		return undefined;
	}

	const isSuffix = match[1] === '';
	const start = isSuffix ? Math.max(sizeBytes - Number(match[2]), 0) : Number(match[1]);
	const end = isSuffix || match[2] === '' ? sizeBytes : Math.min(Number(match[2]) + 1, sizeBytes);
	if (!isSuffix && match[2] !== '' && Number(match[2]) < start) {
		return undefined;
	}

	if (start >= sizeBytes || start >= end) {
		throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
			fields: {RangeRequested: header, ActualObjectSize: String(sizeBytes)},
			headers: {'content-range': `bytes */${sizeBytes}`},
		});
	}

	return {start, end};
};

/** The bytes of the source that `x-amz-copy-source-range` means: both ends, within the source. */
export const parseCopyRange = (header: string, sizeBytes: number): ByteRange => {
	const match = /^bytes=(\d+)-(\d+)$/.exec(header.trim());
	const start = Number(match?.[1]);
	const end = Number(match?.[2]) + 1;
	if (match === null || start >= end) {
		throw new S3Error(
			'InvalidArgument',
			'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
			{fields: {ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header}},
		);
	}

	if (end > sizeBytes) {
		throw new S3Error('InvalidRange', `Range specified is not valid for source object of size: ${sizeBytes}`);
	}

	return {start, end};
};
