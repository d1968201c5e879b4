/**
What can go wrong between us and the object store, as seen by the code that has to act on it. The S3
implementation is the one place that turns HTTP statuses and S3 error codes into these.

- `accessDenied`: 403; the credentials are known but may not do this.
- `badCredentials`: no credentials, an unknown access key, a wrong secret, an expired token.
- `clockSkew`: the server refused the signature because the clocks differ (RequestTimeTooSkewed).
- `wrongRegion`: the bucket lives in another region than the one that was asked.
- `noSuchBucket`: the bucket does not exist.
- `bucketTaken`: the bucket name belongs to another account (BucketAlreadyExists).
- `notFound`: the object (or the upload) is gone, on a call that needed it. Reads of a key answer `undefined` instead.
- `preconditionFailed`: If-Match or If-None-Match did not hold (412), or a racing conditional write won (409).
- `invalidRequest`: the server refused the request itself (400, 405, 411, 416); trying again cannot help.
- `notImplemented`: the server does not know this call (501, NotImplemented, some 405).
- `keyTooLong`: the key is longer than 1024 bytes.
- `tooLarge`: the object or part is larger than S3 allows.
- `throttled`: 503 SlowDown or 429 after all attempts.
- `timeout`: no answer within the deadline.
- `unavailable`: 5xx, refused or broken connections, DNS failures after all attempts.
- `corrupt`: bytes or answers that contradict themselves (checksum, length, malformed XML).
- `noSpace`: the store (or a local directory behind it) is full.
- `aborted`: the caller's AbortSignal ended it.
*/
export type StoreErrorCode =
	| 'aborted'
	| 'accessDenied'
	| 'badCredentials'
	| 'bucketTaken'
	| 'clockSkew'
	| 'corrupt'
	| 'invalidRequest'
	| 'keyTooLong'
	| 'noSpace'
	| 'noSuchBucket'
	| 'notFound'
	| 'notImplemented'
	| 'preconditionFailed'
	| 'throttled'
	| 'timeout'
	| 'tooLarge'
	| 'unavailable'
	| 'wrongRegion';

export type StoreErrorDetails = {
	cause?: unknown;
	/** HTTP status, when there was an answer. */
	status?: number;
	/** The S3 error code of the answer, such as `SlowDown`. */
	s3Code?: string;
	/** The region that the answer named (wrongRegion). */
	region?: string;
};

/**
A failure of the object store. The message says what was being done, to what, and why it failed; it carries no
secret.
*/
export class StoreError extends Error {
	override readonly name = 'StoreError';
	readonly code: StoreErrorCode;
	readonly status: number | undefined;
	readonly s3Code: string | undefined;
	readonly region: string | undefined;

	constructor(code: StoreErrorCode, message: string, details: StoreErrorDetails = {}) {
		super(message, details.cause === undefined ? undefined : {cause: details.cause});
		this.code = code;
		this.status = details.status;
		this.s3Code = details.s3Code;
		this.region = details.region;
	}

	/** Whether the same call may succeed later without anybody changing anything. */
	get isTransient(): boolean {
		return this.code === 'throttled' || this.code === 'timeout' || this.code === 'unavailable';
	}
}

export const isStoreError = (error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError =>
	error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
