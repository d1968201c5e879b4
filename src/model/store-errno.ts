import type {ErrnoName} from './fs-error.ts';
import type {StoreErrorCode} from './store-error.ts';

/** Which errno a failure of the store becomes. A new code without an errno does not compile. */
export const errnoByStoreError = {
	aborted: 'EINTR',
	accessDenied: 'EACCES',
	badCredentials: 'EACCES',
	bucketTaken: 'EACCES',
	clockSkew: 'EACCES',
	corrupt: 'EIO',
	invalidRequest: 'EIO',
	keyTooLong: 'ENAMETOOLONG',
	noSpace: 'ENOSPC',
	noSuchBucket: 'ENXIO',
	notFound: 'ENOENT',
	notImplemented: 'EOPNOTSUPP',
	preconditionFailed: 'ESTALE',
	throttled: 'EAGAIN',
	timeout: 'EIO',
	tooLarge: 'EFBIG',
	unavailable: 'EIO',
	wrongRegion: 'EIO',
} as const satisfies Record<StoreErrorCode, ErrnoName>;
