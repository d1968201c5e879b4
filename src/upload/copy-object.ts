import type {ObjectHead, ObjectStore, PutResult, WriteAttributes, WriteCondition} from '../store/object-store.ts';
import {storeInParts} from './store-in-parts.ts';
import {partBytesMax, planWholeCopy} from './upload-plan.ts';

/**
Copies an object to a key without moving its bytes through us, of any size: over 5 GiB in parts. With `replace` the
copy has other attributes. Fails with `preconditionFailed` when the source changed.
*/
export const copyObject = async (
	store: ObjectStore,
	source: ObjectHead,
	key: string,
	request: WriteCondition & {
		replace?: Pick<WriteAttributes, 'metadata' | 'contentType' | 'writeId' | 'keptWriteIds' | 'blockSums'> | undefined;
		signal?: AbortSignal | undefined;
	} = {},
): Promise<PutResult> => {
	if (source.sizeBytes <= partBytesMax) {
		return store.copy({key: source.key, etag: source.etag, sizeBytes: source.sizeBytes}, key, request);
	}

	const {replace, signal, ...condition} = request;
	const {metadata, contentType, writeId, keptWriteIds} = replace ?? {
		...source,
		writeId: undefined,
		keptWriteIds: source.writeIds,
	};
	return storeInParts(store, key, {
		...condition,
		metadata,
		contentType,
		writeId,
		keptWriteIds,
		signal,
		partSignal: signal,
		parts: planWholeCopy(source),
		partsAtOnceMax,
		sendPart: async (upload, partNumber, {object, start, end}) =>
			store.uploadPartCopy(upload, partNumber, object, {start, end}, {signal}),
	});
};

const partsAtOnceMax = 8;
