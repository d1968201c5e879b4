/** The errno names that the file system answers with; `fuse/errno.ts` alone knows their numbers. */
export type ErrnoName =
	| 'EACCES'
	| 'EAGAIN'
	| 'EBADF'
	| 'EBUSY'
	| 'EEXIST'
	| 'EFBIG'
	| 'EILSEQ'
	| 'EINTR'
	| 'EINVAL'
	| 'EIO'
	| 'EISDIR'
	| 'ELOOP'
	| 'EMFILE'
	| 'ENAMETOOLONG'
	| 'ENODATA'
	| 'ENOENT'
	| 'ENOSPC'
	| 'ENOSYS'
	| 'ENOTDIR'
	| 'ENOTEMPTY'
	| 'ENXIO'
	| 'EOPNOTSUPP'
	| 'EPERM'
	| 'ERANGE'
	| 'EROFS'
	| 'ESTALE'
	| 'ETIMEDOUT'
	| 'EXDEV';

/** A failure of a file-system operation with the errno that its caller gets. */
export class FsError extends Error {
	override readonly name = 'FsError';
	readonly errno: ErrnoName;

	constructor(errno: ErrnoName, message: string, options: {cause?: unknown} = {}) {
		super(message, options);
		this.errno = errno;
	}
}

export const isFsError = (error: unknown, ...names: readonly ErrnoName[]): error is FsError =>
	error instanceof FsError && (names.length === 0 || names.includes(error.errno));
