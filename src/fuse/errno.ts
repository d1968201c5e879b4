import {constants} from 'node:os';
import {isFsError, type ErrnoName} from '../model/fs-error.ts';
import {errnoByStoreError} from '../model/store-errno.ts';
import {isStoreError} from '../model/store-error.ts';

/**
The errno name that the caller of a failed operation gets; `undefined` for what no operation may throw, which is a
bug of ours and is answered with EIO.
*/
export const errnoNameOf = (error: unknown): ErrnoName | undefined => {
	if (isFsError(error)) {
		return error.errno;
	}

	return isStoreError(error) ? errnoByStoreError[error.code] : undefined;
};

/** What a FUSE callback takes for an error: the kernel's number, negative. */
export const toFuseResult = (name: ErrnoName): number => -constants.errno[name];

/** Whether the errno is a normal answer to a normal question, not something that went wrong. */
export const isOrdinaryAnswer = (name: ErrnoName): boolean => ordinaryAnswers.has(name);

const ordinaryAnswers: ReadonlySet<ErrnoName> = new Set<ErrnoName>([
	'EEXIST',
	'EILSEQ',
	'EINVAL',
	'EISDIR',
	'ELOOP',
	'ENAMETOOLONG',
	'ENODATA',
	'ENOENT',
	'ENOTDIR',
	'ENOTEMPTY',
	'EOPNOTSUPP',
	'EPERM',
	'ERANGE',
	'EROFS',
]);
