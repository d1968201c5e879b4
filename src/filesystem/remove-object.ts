import {isStoreError} from '../model/store-error.ts';
import {backOff, raceCountMax} from './back-off.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/**
Takes the object of a name away, whatever version it is by now. Each try names one version: so one whose answer was
lost, or that arrives late, does not remove what others have made of the name since.
*/
export const removeObject = async (
	parts: FileSystemParts,
	key: string,
	knownEtag: string | undefined,
): Promise<void> => {
	let etag = knownEtag;
	for (let attempt = 1; ; attempt++) {
		etag ??= (await parts.store.head(key))?.etag;
		if (etag === undefined) {
			return;
		}

		try {
			await parts.store.delete(key, {ifMatch: etag});
			return;
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed') || attempt >= raceCountMax) {
				throw error;
			}

			etag = undefined;
			await backOff(attempt);
		}
	}
};
