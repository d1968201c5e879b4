import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {marksOf} from '../store/version-marks.ts';
import {backOff, raceCountMax} from './back-off.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/**
Takes the object of a name away, whatever version it is by now. Each try names one version and knows it from others of
the same bytes: so one whose answer was lost does not remove what others have made of the name since.
*/
export const removeObject = async (
	parts: FileSystemParts,
	key: string,
	known: ObjectHead | undefined,
): Promise<void> => {
	let version = known === undefined || marksOf(known) === undefined ? undefined : known;
	for (let attempt = 1; ; attempt++) {
		version ??= await parts.store.head(key);
		if (version === undefined) {
			return;
		}

		try {
			await parts.store.delete(key, {ifMatch: version.etag, marks: marksOf(version)});
			return;
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed') || attempt >= raceCountMax) {
				throw error;
			}

			version = undefined;
			await backOff(attempt);
		}
	}
};
