import {headerOf, xmlAnswer, type Action, type Call} from '../call.ts';
import {bareEtag} from '../conditions.ts';
import {readDocument} from '../request-body.ts';
import {assertKey} from '../request-target.ts';
import {S3Error} from '../s3-error.ts';
import type {StoredBucket} from '../storage/stored-bucket.ts';
import {childText, childrenOf, malformed, readXml, type XmlElement} from '../xml-reader.ts';
import {writeXml, type XmlContent} from '../xml-writer.ts';
import {planDelete} from './delete-object.ts';

const keyCountMax = 1000;

/** Deletes up to 1000 keys; each succeeds or fails for itself. */
export const deleteObjects: Action = async call => {
	const {storage, target} = call;
	storage.bucket(target.bucket);
	const {text, digest} = await readDocument(call);
	if (headerOf(call, 'content-md5') === undefined && digest.checksum === undefined) {
		throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
	}

	const root = readXml(text, 'Delete');
	const objects = childrenOf(root, 'Object');
	if (
		objects.length === 0 ||
		objects.length > keyCountMax ||
		objects.some(object => (childText(object, 'Key') ?? '') === '')
	) {
		throw malformed();
	}

	const bucket = storage.bucket(target.bucket);
	const outcomes = objects.map(object => deleteOne(call, bucket, object));
	const isQuiet = childText(root, 'Quiet') === 'true';
	return xmlAnswer(
		writeXml('DeleteResult', {
			Deleted: isQuiet ? [] : outcomes.flatMap(outcome => outcome.deleted ?? []),
			Error: outcomes.flatMap(outcome => outcome.error ?? []),
		}),
	);
};

const deleteOne = (
	{storage, nowMs, faults}: Call,
	bucket: StoredBucket,
	object: XmlElement,
): {deleted?: XmlContent; error?: XmlContent} => {
	const key = childText(object, 'Key')!; // Checked before the first deletion.
	const versionId = childText(object, 'VersionId');
	const etag = childText(object, 'ETag');
	try {
		assertKey(key);
		const planned = planDelete(bucket, {
			key,
			versionId,
			ifMatch: etag === undefined || faults.ignoresConditions ? undefined : bareEtag(etag),
			nowMs,
		});
		storage.commit(...planned.changes);
		return {
			deleted: {
				Key: key,
				VersionId: versionId,
				DeleteMarker: planned.isMarker ? true : undefined,
				DeleteMarkerVersionId: planned.isMarker ? planned.versionId : undefined,
			},
		};
	} catch (error) {
		if (error instanceof S3Error) {
			return {error: {Key: key, VersionId: versionId, Code: error.code, Message: error.message}};
		}

		throw error;
	}
};
