import {isStoreError} from '../model/store-error.ts';
import type {PutResult} from '../store/object-store.ts';
import {directoryContentType} from './attributes.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/** A directory that had no marker gets one, so that it stays when its last entry goes. */
export const ensureMarker = async (parts: FileSystemParts, directory: string): Promise<void> => {
	if (directory === '' || parts.markers.has(directory)) {
		return;
	}

	const key = `${directory}/`;
	if ((await parts.store.head(key)) !== undefined) {
		parts.markers.note(directory);
		return;
	}

	if ((await makeMarker(parts, directory)) === undefined) {
		parts.changes.markerMade(directory);
	}
};

/** `undefined` when there is one already. */
export const makeMarker = async (parts: FileSystemParts, directory: string): Promise<PutResult | undefined> => {
	try {
		const made = await parts.store.put(`${directory}/`, new Uint8Array(), {
			ifNoneMatch: '*',
			contentType: directoryContentType,
		});
		parts.changes.markerMade(directory);
		return made;
	} catch (error) {
		if (!isStoreError(error, 'preconditionFailed')) {
			throw error;
		}

		return undefined;
	}
};
