import {createHash} from 'node:crypto';
import type {ObjectHead} from '../store/object-store.ts';
import type {UploadRequest} from './uploader.ts';

/**
The id of the write of a layer: the same in every try of it, also after a restart, and another than that of any other
layer of any node. `appendedAt`: where the bytes begin that it appends.
*/
export const toWriteId = (request: UploadRequest, appendedAt: number | undefined): string =>
	appendedAt === undefined ? layerHash(request) : `${layerHash(request)}.${appendedAt.toString(36)}`;

/** Whether the bytes of this layer are in an object, or were in one that it was made from. */
export const findWrite = (
	{writeIds = []}: ObjectHead,
	request: UploadRequest,
): {readonly appendedAt: number | undefined; readonly isNewest: boolean} | undefined => {
	const hash = layerHash(request);
	const index = writeIds.findIndex(id => id.split('.', 1)[0] === hash);
	if (index === -1) {
		return undefined;
	}

	const [, offset] = writeIds[index]!.split('.'); // It was found there.
	return {appendedAt: offset === undefined ? undefined : Number.parseInt(offset, 36), isNewest: index === 0};
};

const layerHash = ({key, layer, metadata, sealedAtMs}: UploadRequest): string =>
	createHash('sha256')
		.update(JSON.stringify([layer.id, key, sealedAtMs, metadata]))
		.digest('base64url')
		.slice(0, 14);
