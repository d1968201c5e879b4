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

const damage = Symbol('damaged on the local disk');

/** What the local disk gives back is not what was written to it: another try does not help. */
export const toDamageError = (): FsError =>
	new FsError(
		'EIO',
		'The local disk damaged bytes that wait for their upload: check the disk of the staging directory, and write the file again',
		{cause: damage},
	);

export const isDamageError = (error: Error): boolean => error.cause === damage;
