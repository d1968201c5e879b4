import type {ObjectHead, ObjectVersion} from '../store/object-store.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/**
The newest version of a key; `undefined` when there is no object. Where the version that is known is small and in no
cache, one request asks for the version and its bytes: when it is still the known one, the bytes are on their way to the
reader, and opening and reading a small file costs one request.
*/
export const lookUpWithContent = async (
	{store, reader}: Pick<FileSystemParts, 'store' | 'reader'>,
	key: string,
	known: ObjectVersion,
): Promise<ObjectHead | undefined> => {
	if (!reader.lacksWhole(known)) {
		return store.head(key);
	}

	const result = await store.get(key, {signal: reader.signal});
	if (result === undefined) {
		return undefined;
	}

	const {object, body} = result;
	const isKnown = object.etag === known.etag && object.sizeBytes === known.sizeBytes;
	if (!isKnown || !reader.takeWhole(known, result)) {
		await body[Symbol.asyncIterator]().return?.();
	}

	return object;
};
