import {isStoreError} from '../model/store-error.ts';
import {directoryContentType} from './attributes.ts';
import type {Volume} from './volume.ts';

/** A directory that had no marker gets one, so that it stays when its last entry goes. */
export const ensureMarker = async (volume: Volume, directory: string): Promise<void> => {
	if (directory === '' || volume.markers.has(directory)) {
		return;
	}

	const key = `${directory}/`;
	if ((await volume.store.head(key)) !== undefined) {
		volume.markers.note(directory);
		return;
	}

	try {
		await volume.store.put(key, new Uint8Array(), {ifNoneMatch: '*', contentType: directoryContentType});
	} catch (error) {
		if (!isStoreError(error, 'preconditionFailed')) {
			throw error;
		}
	}

	volume.changes.markerMade(directory);
};
