import {headerOf, type Action, type Call} from '../call.ts';
import type {ChecksumAlgorithm} from '../checksum.ts';
import {parseChecksumAlgorithm} from '../checksum.ts';
import {assertWriteConditions} from '../conditions.ts';
import {newVersionId, toWholeSecondsMs} from '../new-version.ts';
import {checksumHeaders, versionHeader} from '../object-answer.ts';
import {parseObjectAttributes} from '../object-attributes.ts';
import {receiveBody, type BodyDigest} from '../request-body.ts';
import type {Segment} from '../storage/segment.ts';

/** The largest body of one request. */
const bodyBytesMax = 5 * 2 ** 30;

export const putObject: Action = async call => {
	const {storage, target, nowMs} = call;
	const attributes = parseObjectAttributes(call, storage.bucket(target.bucket));
	// Refused at once when there is no point in sending the body; the check that counts is the one before the commit.
	assertWriteConditions(call, storage.bucket(target.bucket).current(target.key));
	const {segments, digest} = await storeBody(
		call,
		parseChecksumAlgorithm(headerOf(call, 'x-amz-sdk-checksum-algorithm')),
	);
	const bucket = storage.bucket(target.bucket);
	assertWriteConditions(call, bucket.current(target.key));
	const etag = digest.md5.toString('hex');
	const versionId = newVersionId(bucket);
	storage.commit({
		op: 'version',
		bucket: bucket.name,
		key: target.key,
		version: {
			kind: 'object',
			versionId,
			lastModifiedMs: toWholeSecondsMs(nowMs),
			etag,
			sizeBytes: digest.sizeBytes,
			segments,
			checksum: digest.checksum,
			...attributes,
		},
	});
	return {
		status: 200,
		headers: {
			etag: `"${etag}"`,
			...attributes.encryption,
			...versionHeader(bucket, versionId),
			...checksumHeaders(digest.checksum),
		},
	};
};

/** Stores a request's body; its segments are held until the request is over. */
export const storeBody = async (
	call: Call,
	checksumAlgorithm: ChecksumAlgorithm | undefined,
): Promise<{segments: Segment[]; digest: BodyDigest}> => {
	const writer = call.storage.blobs.createWriter();
	let segments: Segment[];
	let digest: BodyDigest;
	try {
		digest = await receiveBody(call, {
			sizeBytesMax: bodyBytesMax,
			checksumAlgorithm,
			onData: data => writer.write(data),
		});
		segments = await writer.finish();
	} catch (error) {
		await writer.discard();
		throw error;
	}

	call.held.push(...segments);
	return {segments, digest};
};
