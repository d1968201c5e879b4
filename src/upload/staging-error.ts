import {hasErrorCode, messageOf} from '../model/error-text.ts';
import {FsError, isFsError} from '../model/fs-error.ts';

/** What a failure of the local disk is to whoever writes a file. */
export const toFsError = (error: unknown): Error => {
	if (isFsError(error)) {
		return error;
	}

	const isFull = hasErrorCode(error, 'ENOSPC', 'EDQUOT');
	const errno = isFull ? 'ENOSPC' : hasErrorCode(error, 'EFBIG') ? 'EFBIG' : 'EIO';
	return new FsError(errno, `Writing to the staging directory failed: ${messageOf(error)}`, {cause: error});
};
