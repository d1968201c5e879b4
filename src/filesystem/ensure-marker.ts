import {isStoreError} from '../model/store-error.ts';
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

	try {
		await parts.store.put(key, new Uint8Array(), {ifNoneMatch: '*', contentType: directoryContentType});
	} catch (error) {
		if (!isStoreError(error, 'preconditionFailed')) {
			throw error;
		}
	}

	parts.changes.markerMade(directory);
};
