import {createHash} from 'node:crypto';
import {headerOf, xmlAnswer, type Action, type Call} from '../call.ts';
import {parseCopyRange} from '../byte-range.ts';
import {findCopySource, type CopySource} from '../copy-source.ts';
import {toWholeSecondsMs} from '../new-version.ts';
import {S3Error} from '../s3-error.ts';
import {sliceSegments, type Segment} from '../storage/segment.ts';
import {writeXml} from '../xml-writer.ts';
import {parsePartNumber} from './upload-part.ts';

const partBytesMax = 5 * 2 ** 30;
/** Parts up to this size get the MD5 of their bytes as etag, as in S3. */
const hashedBytesMax = 1 << 20;

/** A part that shares the bytes of its source: no byte is moved, whatever the size. */
export const uploadPartCopy: Action = call => {
	const {storage, target, nowMs} = call;
	const partNumber = parsePartNumber(call);
	const uploadId = target.query.get('uploadId') ?? '';
	const bucket = storage.bucket(target.bucket);
	const {upload} = storage.upload(bucket, target.key, uploadId);
	const source = findCopySource(call);
	const header = headerOf(call, 'x-amz-copy-source-range');
	const {start, end} =
		header === undefined ? {start: 0, end: source.object.sizeBytes} : parseCopyRange(header, source.object.sizeBytes);
	if (end - start > partBytesMax) {
		throw new S3Error(
			'InvalidRequest',
			`The specified copy source is larger than the maximum allowable size for a copy source: ${partBytesMax}`,
		);
	}

	const segments = sliceSegments(source.object.segments, start, end);
	const etag = chooseEtag(call, source, {segments, sizeBytes: end - start});
	const lastModifiedMs = toWholeSecondsMs(nowMs);
	storage.commit({
		op: 'part',
		bucket: bucket.name,
		uploadId,
		partNumber,
		part: {etag, sizeBytes: end - start, segments, lastModifiedMs},
	});
	return xmlAnswer(
		writeXml('CopyPartResult', {LastModified: new Date(lastModifiedMs).toISOString(), ETag: `"${etag}"`}),
		{
			...upload.encryption,
			...(source.bucket.versioning === '' ? {} : {'x-amz-copy-source-version-id': source.object.versionId}),
		},
	);
};

// The MD5 of a large part would take seconds. An etag only has to differ when the bytes differ, and segments name
// bytes that never change; so beyond a size the etag is a hash of the segments.
const chooseEtag = (
	{storage}: Call,
	{object}: CopySource,
	{segments, sizeBytes}: {segments: readonly Segment[]; sizeBytes: number},
): string => {
	if (sizeBytes === object.sizeBytes && !object.etag.includes('-')) {
		return object.etag;
	}

	const hash = createHash('md5');
	return hash
		.update(sizeBytes <= hashedBytesMax ? storage.blobs.readSync(segments) : JSON.stringify(segments))
		.digest('hex');
};
