import {FsError, isFsError} from '../model/fs-error.ts';

/** What a failure of the local disk is to whoever writes a file. */
export const toFsError = (error: unknown): Error => {
	if (isFsError(error)) {
		return error;
	}

	const code = (error as NodeJS.ErrnoException).code;
	const errno = code === 'ENOSPC' || code === 'EDQUOT' ? 'ENOSPC' : code === 'EFBIG' ? 'EFBIG' : 'EIO';
	return new FsError(errno, `Writing to the staging directory failed: ${(error as Error).message}`, {cause: error});
};
