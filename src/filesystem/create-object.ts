import {FsError} from '../model/fs-error.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {createWriteId} from '../store/version-marks.ts';
import {type FileAttributes, directoryContentType, writeAttributes} from './attributes.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/** Makes the object of a new entry, which is the marker if it is a directory. EEXIST when it is there already. */
export const createObject = async (
	parts: FileSystemParts,
	path: string,
	body: Uint8Array,
	attributes: FileAttributes,
): Promise<ObjectHead> => {
	const isDirectory = attributes.kind === 'directory';
	const key = isDirectory ? `${path}/` : path;
	const contentType = isDirectory ? directoryContentType : undefined;
	const metadata = writeAttributes(attributes, {}, parts.defaults);
	const writeId = createWriteId();
	const token = parts.cache.beginRead();
	try {
		const result = await parts.store.put(key, body, {ifNoneMatch: '*', metadata, contentType, writeId});
		const head = {
			key,
			sizeBytes: body.length,
			lastModifiedMs: Date.now(),
			isFromAnswer: true,
			metadata,
			contentType,
			writeIds: [writeId],
			...result,
		};
		parts.changes.created(path, isDirectory ? {state: 'directory', marker: head} : {state: 'object', head});
		if (isDirectory) {
			// Nothing was below its name when that was looked up.
			parts.cache.recordListing(path, new Map(), {token, beganAtMs: parts.now()});
		}

		return head;
	} catch (error) {
		if (isStoreError(error, 'preconditionFailed')) {
			parts.changes.mayHaveChanged(path);
			throw new FsError('EEXIST', `${path} exists`, {cause: error});
		}

		throw error;
	}
};
