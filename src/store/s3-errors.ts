import {StoreError, type StoreErrorCode} from '../model/store-error.ts';
import {toOneLine} from './one-line.ts';
import {findXmlText} from './s3-xml.ts';

/** What was asked, for messages. */
export type S3Context = {
	/** As S3 calls it: `PutObject`. */
	readonly operation: string;
	/** As people say it: `write "a/b"`. */
	readonly action: string;
	readonly bucket: string;
	/** As people say it: `region eu-central-1`, or the endpoint. */
	readonly place: string;
};

/**
A refusal of the server, from its status, its headers and its XML (HEAD has none), or from an exception of the SDK.
*/
export type S3Refusal = {
	readonly status: number;
	readonly s3Code?: string | undefined;
	readonly message?: string | undefined;
	readonly region?: string | undefined;
	/** The server's clock: its `Date` header. */
	readonly serverTimeMs?: number | undefined;
	readonly cause?: unknown;
};

type Explanation = {readonly code: StoreErrorCode; readonly why: (context: S3Context, refusal: S3Refusal) => string};

/** S3 refuses signatures that are further from its clock. */
const clockSkewMsMax = 15 * 60_000;

const badCredentials = (why: string): Explanation => ({code: 'badCredentials', why: () => why});
const expired = badCredentials('the credentials have expired; renew them and mount again');
const wrongRegion: Explanation = {
	code: 'wrongRegion',
	why: ({bucket, place}, {region}) =>
		region === undefined
			? `bucket "${bucket}" is not in ${place}; set the option "region" to the bucket's region`
			: `bucket "${bucket}" is in region ${region}, not in ${place}; set the option "region" to "${region}"`,
};
const busy = (code: 'throttled' | 'unavailable' | 'timeout'): Explanation => ({
	code,
	why: (_context, {status}) => `the server is busy or broken for now (HTTP ${status})`,
});
const throttled = busy('throttled');
const refused = (code: StoreErrorCode): Explanation => ({
	code,
	why: (_context, {message, status}) =>
		message === undefined
			? `the server refused the request (HTTP ${status})`
			: `the server refused it: ${toOneLine(message)}`,
});
const lostRace: Explanation = {code: 'preconditionFailed', why: () => 'it changed meanwhile, or exists already'};
const unknownUpload: Explanation = {
	code: 'notFound',
	why: () => 'the multipart upload is unknown: it was aborted or completed before',
};

const explanations: Readonly<Record<string, Explanation>> = {
	AccessDenied: {
		code: 'accessDenied',
		why: ({operation, bucket}) =>
			`access denied; allow ${iamActionByOperation[operation] ?? `s3:${operation}`} on bucket "${bucket}" for these credentials`,
	},
	AllAccessDisabled: {code: 'accessDenied', why: ({bucket}) => `all access to bucket "${bucket}" has been disabled`},
	AccountProblem: {
		code: 'accessDenied',
		why: () => 'there is a problem with the account of these credentials; ask the provider',
	},
	AuthorizationHeaderMalformed: wrongRegion,
	BadDigest: {code: 'corrupt', why: () => 'the bytes that arrived are not the bytes that were sent'},
	BucketAlreadyExists: {
		code: 'bucketTaken',
		why: ({bucket}) => `the name "${bucket}" belongs to another account; choose another bucket name`,
	},
	BucketAlreadyOwnedByYou: {code: 'bucketTaken', why: () => 'it exists already and belongs to you'},
	ConditionalRequestConflict: lostRace,
	CredentialsProviderError: badCredentials(
		'no credentials were found; give them in the secret, in the environment, or as a role of the node',
	),
	EntityTooLarge: refused('tooLarge'),
	EntityTooSmall: refused('invalidRequest'),
	ExpiredToken: expired,
	ExpiredTokenException: expired,
	IllegalLocationConstraintException: wrongRegion,
	IncompleteBody: busy('unavailable'),
	InternalError: busy('unavailable'),
	InvalidAccessKeyId: badCredentials('the server does not know the access key; check the credentials'),
	InvalidBucketName: {code: 'invalidRequest', why: ({bucket}) => `"${bucket}" is not a valid bucket name`},
	InvalidObjectState: {code: 'accessDenied', why: () => 'the object is archived (Glacier); restore it first'},
	InvalidSecurity: badCredentials('the credentials are not valid'),
	InvalidToken: badCredentials('the session token is not valid; renew the credentials'),
	KeyTooLongError: {code: 'keyTooLong', why: () => 'the key is longer than 1024 bytes'},
	MethodNotAllowed: {code: 'notImplemented', why: () => 'the server does not allow this call'},
	NoSuchBucket: {
		code: 'noSuchBucket',
		why: ({bucket, place}) =>
			`bucket "${bucket}" does not exist in ${place}; create it, or let the volume do so with the option "provision"`,
	},
	NoSuchKey: {code: 'notFound', why: () => 'it does not exist'},
	NoSuchUpload: unknownUpload,
	NoSuchVersion: {code: 'notFound', why: () => 'this version does not exist'},
	NotImplemented: {code: 'notImplemented', why: () => 'the server does not know this call'},
	OperationAborted: busy('unavailable'),
	PermanentRedirect: wrongRegion,
	PreconditionFailed: lostRace,
	QuotaExceeded: {code: 'noSpace', why: () => 'the quota of the bucket or the account is used up'},
	RequestTimeTooSkewed: {
		code: 'clockSkew',
		why: (_context, refusal) => `the clocks differ${toSkew(refusal)}; set the clock of this machine (NTP)`,
	},
	RequestTimeout: busy('timeout'),
	RequestTimeoutException: busy('timeout'),
	ServiceUnavailable: busy('unavailable'),
	SignatureDoesNotMatch: badCredentials(
		'the signature does not match: the secret key is wrong (or a proxy changes the requests)',
	),
	TooManyBuckets: {
		code: 'invalidRequest',
		why: () => 'the account has reached its limit of buckets; delete one, or have the limit raised',
	},
	TimeoutError: busy('timeout'),
	XMinioStorageFull: {code: 'noSpace', why: () => "the server's disks are full"},
	// Fewer requests, please: 503 of S3 itself, 400 of services behind it. The list that the AWS SDKs share, and KMS.
	BandwidthLimitExceeded: throttled,
	EC2ThrottledException: throttled,
	'KMS.ThrottlingException': throttled,
	LimitExceededException: throttled,
	PriorRequestNotComplete: throttled,
	ProvisionedThroughputExceededException: throttled,
	RequestLimitExceeded: throttled,
	RequestThrottled: throttled,
	RequestThrottledException: throttled,
	SlowDown: throttled,
	ThrottledException: throttled,
	Throttling: throttled,
	ThrottlingException: throttled,
	TooManyRequests: throttled,
	TooManyRequestsException: throttled,
	TransactionInProgressException: throttled,
};

const byStatus: Readonly<Record<number, Explanation>> = {
	301: wrongRegion,
	307: busy('unavailable'),
	403: explanations['AccessDenied']!,
	404: {code: 'notFound', why: () => 'it does not exist'},
	405: explanations['MethodNotAllowed']!,
	408: busy('timeout'),
	412: lostRace,
	413: refused('tooLarge'),
	429: throttled,
	501: explanations['NotImplemented']!,
	503: throttled,
	507: {code: 'noSpace', why: () => "the server's disks are full"},
};

/** The permission that a call needs where its name is not the call's. */
const iamActionByOperation: Readonly<Record<string, string>> = {
	AbortMultipartUpload: 's3:AbortMultipartUpload',
	CompleteMultipartUpload: 's3:PutObject',
	CopyObject: 's3:PutObject and s3:GetObject',
	CreateMultipartUpload: 's3:PutObject',
	DeleteObject: 's3:DeleteObject and s3:GetObject',
	DeleteObjects: 's3:DeleteObject and s3:GetObject',
	HeadBucket: 's3:ListBucket',
	HeadObject: 's3:GetObject and s3:ListBucket',
	ListObjectsV2: 's3:ListBucket',
	UploadPart: 's3:PutObject',
	UploadPartCopy: 's3:PutObject and s3:GetObject',
};

/** The one place where what S3 refused becomes an error of ours. */
export const toRefusalError = (context: S3Context, refusal: S3Refusal): StoreError => {
	const {status, s3Code, region, cause} = refusal;
	const {code, why} = explain(refusal);
	const source = s3Code === undefined ? `HTTP ${status}` : s3Code;
	return new StoreError(code, `Cannot ${context.action}: ${why(context, refusal)} (${source})`, {
		status,
		cause,
		...(s3Code === undefined ? {} : {s3Code}),
		...(region === undefined ? {} : {region}),
	});
};

/** Reads what an answer says about a failure: `xml` is empty after HEAD. */
export const parseRefusal = (
	status: number,
	headers: Readonly<Record<string, string | string[] | undefined>>,
	xml: string,
): S3Refusal => {
	const {date} = headers;
	const region = headers['x-amz-bucket-region'];
	return {
		status,
		s3Code: findXmlText(xml, 'Code'),
		message: findXmlText(xml, 'Message'),
		region: findXmlText(xml, 'Region') ?? (typeof region === 'string' ? region : undefined),
		serverTimeMs: typeof date === 'string' ? Date.parse(date) : undefined,
	};
};

/** Reads the same out of an exception of the SDK; `undefined` when no answer came. */
export const toSdkRefusal = (error: unknown): S3Refusal | undefined => {
	if (!(error instanceof Error)) {
		return undefined;
	}

	if (/Credentials|Token|SSO/.test(error.name) && !('$metadata' in error && hasStatus(error.$metadata))) {
		return {status: 0, s3Code: 'CredentialsProviderError', cause: error};
	}

	const exception: Error & {
		Code?: unknown;
		Region?: unknown;
		$metadata?: {httpStatusCode?: number};
		$response?: {headers?: Record<string, string>};
	} = error;
	const status = exception.$metadata?.httpStatusCode;
	if (status === undefined) {
		return undefined;
	}

	const headers = exception.$response?.headers ?? {};
	return {
		...parseRefusal(status, headers, ''),
		...(typeof exception.Code === 'string' ? {s3Code: exception.Code} : {}),
		...(typeof exception.Region === 'string' ? {region: exception.Region} : {}),
		...(error.message === 'UnknownError' ? {} : {message: error.message}),
		cause: error,
	};
};

const hasStatus = (metadata: unknown): boolean =>
	typeof metadata === 'object' &&
	metadata !== null &&
	'httpStatusCode' in metadata &&
	metadata.httpStatusCode !== undefined;

const explain = (refusal: S3Refusal): Explanation => {
	const {status, s3Code} = refusal;
	const known = s3Code === undefined ? undefined : explanations[s3Code];
	if (known !== undefined && Object.hasOwn(explanations, s3Code!)) {
		// An explanation was found by it.
		return known;
	}

	// A refusal without a body (HEAD) may still tell why: by its clock, or by naming another region.
	if (status === 403 && s3Code === undefined && Math.abs(toSkewMs(refusal)) > clockSkewMsMax) {
		return explanations['RequestTimeTooSkewed']!;
	}

	if (status === 400 && s3Code === undefined && refusal.region !== undefined) {
		return wrongRegion;
	}

	return byStatus[status] ?? (status >= 500 ? busy('unavailable') : refused('invalidRequest'));
};

const toSkewMs = ({serverTimeMs}: S3Refusal): number =>
	serverTimeMs === undefined || Number.isNaN(serverTimeMs) ? 0 : Date.now() - serverTimeMs;

const toSkew = (refusal: S3Refusal): string => {
	const skewSeconds = Math.round(toSkewMs(refusal) / 1000);
	return Math.abs(skewSeconds) < 60
		? ''
		: `: this machine is ${Math.abs(skewSeconds)} s ${skewSeconds > 0 ? 'ahead of' : 'behind'} the server`;
};
