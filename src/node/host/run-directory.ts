import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../../model/error-text.ts';

/**
Makes a directory below the run directory, for root's eyes only, and tells its path. Its parent has to be there: a
missing `/run` is none of our business.
*/
export const createRunDirectory = (runDirectory: string, name: string): string => {
	const path = join(runDirectory, name);
	// One by one: the recursive mkdir of Node.js never ends below a directory where nothing can be made, such as /proc.
	for (const directory of [runDirectory, path]) {
		try {
			mkdirSync(directory, {mode: 0o700});
		} catch (error) {
			if (!hasErrorCode(error, 'EEXIST')) {
				throw error;
			}
		}
	}

	return path;
};
