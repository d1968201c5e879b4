import {FsError} from '../model/fs-error.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {type FileAttributes, writeAttributes} from './attributes.ts';
import type {Volume} from './volume.ts';

/** Makes an object that must not exist yet. EEXIST when it does. */
export const createObject = async (
	volume: Volume,
	path: string,
	body: Uint8Array,
	attributes: FileAttributes,
	contentType?: string,
): Promise<ObjectHead> => {
	const metadata = writeAttributes(attributes, {}, volume.defaults);
	try {
		const result = await volume.store.put(path, body, {ifNoneMatch: '*', metadata, contentType});
		const head = {key: path, sizeBytes: body.length, lastModifiedMs: Date.now(), metadata, contentType, ...result};
		volume.inodes.created(path);
		volume.cache.change(path, {state: 'object', head});
		volume.namespace.forgetLookups();
		return head;
	} catch (error) {
		if (isStoreError(error, 'preconditionFailed')) {
			volume.cache.change(path, undefined);
			throw new FsError('EEXIST', `${path} exists`, {cause: error});
		}

		throw error;
	}
};
