import {forEachParallel} from '../model/semaphore.ts';
import {type CopyableObject, partBytesMax, planUpload} from './upload-plan.ts';
import type {ObjectHead, ObjectStore, PutResult, UploadedPart, WriteCondition} from '../store/object-store.ts';

/**
Copies an object to a key without moving its bytes through us, of any size: over 5 GiB in parts. With `replace` the
copy has other attributes. Fails with `preconditionFailed` when the source changed.
*/
export const copyObject = async (
	store: ObjectStore,
	source: ObjectHead,
	key: string,
	request: WriteCondition & {
		replace?: Pick<ObjectHead, 'metadata' | 'contentType'> | undefined;
		signal?: AbortSignal | undefined;
	} = {},
): Promise<PutResult> => {
	if (source.sizeBytes <= partBytesMax) {
		return store.copy({key: source.key, etag: source.etag}, key, request);
	}

	const attributes = request.replace ?? source;
	const upload = await store.createMultipartUpload(key, {
		metadata: attributes.metadata,
		contentType: attributes.contentType,
		signal: request.signal,
	});
	try {
		const parts = await copyParts(store, upload, source, request.signal);
		return await store.completeMultipartUpload(upload, parts, request);
	} catch (error) {
		// What failed is what the caller must hear of; parts that stay are removed by the bucket's lifecycle rule.
		await store.abortMultipartUpload(upload).catch(() => undefined);
		throw error;
	}
};

const copyParts = async (
	store: ObjectStore,
	upload: {key: string; uploadId: string},
	source: CopyableObject,
	signal: AbortSignal | undefined,
): Promise<UploadedPart[]> => {
	// In two halves, so that the plan is parts and not one copy.
	const half = Math.floor(source.sizeBytes / 2);
	const plan = planUpload(
		[
			{bytes: half, source: {kind: 'object', object: source, offset: 0}},
			{bytes: source.sizeBytes - half, source: {kind: 'object', object: source, offset: half}},
		],
		{partBytes: partBytesMax / 5},
	);
	const parts: UploadedPart[] = [];
	if (plan.kind === 'multipart') {
		await forEachParallel(plan.parts.entries(), 8, async ([index, part]) => {
			if (part.kind === 'copy') {
				parts[index] = await store.uploadPartCopy(
					upload,
					index + 1,
					source,
					{start: part.start, end: part.end},
					{signal},
				);
			}
		});
	}

	return parts;
};
