import {forEachParallel} from '../model/semaphore.ts';
import {throwIfAborted} from '../store/abort.ts';
import type {
	MultipartUpload,
	ObjectStore,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from '../store/object-store.ts';

/**
Makes an object of parts, several on their way at once. `partSignal` gives up until all parts are there; the request
that makes the object visible is ended by `signal` only.
*/
export const storeInParts = async <Part>(
	store: Pick<ObjectStore, 'createMultipartUpload' | 'completeMultipartUpload' | 'abortMultipartUpload'>,
	key: string,
	request: WriteAttributes &
		WriteCondition & {
			readonly parts: readonly Part[];
			readonly partsAtOnceMax: number;
			readonly sendPart: (upload: MultipartUpload, partNumber: number, part: Part) => Promise<UploadedPart>;
			readonly signal?: AbortSignal | undefined;
			readonly partSignal?: AbortSignal | undefined;
		},
): Promise<PutResult> => {
	const {metadata, contentType, writeId, keptWriteIds, blockSums, ifMatch, ifNoneMatch, signal, partSignal} = request;
	const upload = await store.createMultipartUpload(key, {
		metadata,
		contentType,
		writeId,
		keptWriteIds,
		blockSums,
		signal: partSignal,
	});
	try {
		const uploaded: UploadedPart[] = [];
		await forEachParallel(request.parts.entries(), request.partsAtOnceMax, async ([index, part]) => {
			uploaded[index] = await request.sendPart(upload, index + 1, part);
		});
		throwIfAborted(`store ${key}`, partSignal);
		const result = await store.completeMultipartUpload(upload, uploaded, {ifMatch, ifNoneMatch, signal});
		return {...result, ...(blockSums === undefined ? {} : {blockSums})};
	} catch (error) {
		// What failed is what the caller must hear of; parts that stay are removed by the bucket's lifecycle rule.
		await store.abortMultipartUpload(upload).catch(() => undefined);
		throw error;
	}
};
