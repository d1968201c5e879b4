import type {Action, Call} from '../call.ts';
import {checksumHeaders} from '../object-answer.ts';
import {S3Error} from '../s3-error.ts';
import {toWholeSecondsMs} from '../new-version.ts';
import {sentChecksumAlgorithms} from '../request-body.ts';
import type {StoredUpload} from '../storage/stored-state.ts';
import {storeBody} from './put-object.ts';

export const uploadPart: Action = async call => {
	const {storage, target, nowMs} = call;
	const partNumber = parsePartNumber(call);
	const uploadId = target.query.get('uploadId') ?? '';
	const {upload} = storage.upload(storage.bucket(target.bucket), target.key, uploadId);
	assertSentChecksum(call, upload);
	const {segments, digest} = await storeBody(call, upload.checksumAlgorithm);
	// The upload may have ended while the body came in.
	const bucket = storage.bucket(target.bucket);
	storage.upload(bucket, target.key, uploadId);
	const etag = digest.md5.toString('hex');
	storage.commit({
		op: 'part',
		bucket: bucket.name,
		uploadId,
		partNumber,
		part: {
			etag,
			sizeBytes: digest.sizeBytes,
			segments,
			lastModifiedMs: toWholeSecondsMs(nowMs),
			checksum: digest.checksum,
		},
	});
	return {status: 200, headers: {etag: `"${etag}"`, ...upload.encryption, ...checksumHeaders(digest.checksum)}};
};

/** An upload with an algorithm takes no other, and one for a checksum of checksums needs one with each part. */
const assertSentChecksum = (call: Call, {checksumAlgorithm: expected, checksumType}: StoredUpload): void => {
	const sent = sentChecksumAlgorithms(call)[0];
	if (expected !== undefined && (sent === undefined ? checksumType === 'COMPOSITE' : sent !== expected)) {
		throw new S3Error(
			'InvalidRequest',
			`Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${sent?.toLowerCase() ?? 'null'}`,
		);
	}
};

/** 1 to 10,000. */
export const parsePartNumber = ({target: {query}}: Call): number => {
	const text = query.get('partNumber') ?? '';
	const partNumber = /^\d{1,5}$/.test(text) ? Number(text) : 0;
	if (partNumber < 1 || partNumber > 10_000) {
		throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', {
			fields: {ArgumentName: 'partNumber', ArgumentValue: text},
		});
	}

	return partNumber;
};
