import {hasErrorCode} from '../model/error-text.ts';

/** Writes once more when the disk was full, after others have made room on it. */
export const retryWhenFull = async <Result>(
	write: () => Promise<Result>,
	makeRoom: (() => Promise<void>) | undefined,
): Promise<Result> => {
	try {
		return await write();
	} catch (error) {
		if (makeRoom === undefined || !hasErrorCode(error, 'ENOSPC', 'EDQUOT')) {
			throw error;
		}
	}

	await makeRoom();
	return write();
};
