/** The error codes that this server answers with, and the HTTP status that S3 gives each. */
const statusByCode = {
	AccessControlListNotSupported: 400,
	AccessDenied: 403,
	AuthorizationHeaderMalformed: 400,
	AuthorizationQueryParametersError: 400,
	BadDigest: 400,
	BucketAlreadyExists: 409,
	BucketAlreadyOwnedByYou: 409,
	BucketNotEmpty: 409,
	EntityTooLarge: 400,
	EntityTooSmall: 400,
	IllegalLocationConstraintException: 400,
	IncompleteBody: 400,
	InternalError: 500,
	InvalidAccessKeyId: 403,
	InvalidArgument: 400,
	InvalidBucketName: 400,
	InvalidDigest: 400,
	InvalidLocationConstraint: 400,
	InvalidObjectState: 403,
	InvalidPart: 400,
	InvalidPartNumber: 416,
	InvalidPartOrder: 400,
	InvalidRange: 416,
	InvalidRequest: 400,
	InvalidStorageClass: 400,
	InvalidTag: 400,
	InvalidURI: 400,
	KeyTooLongError: 400,
	MalformedPolicy: 400,
	MalformedXML: 400,
	MaxMessageLengthExceeded: 400,
	MetadataTooLarge: 400,
	MethodNotAllowed: 405,
	MissingContentLength: 411,
	NoSuchBucket: 404,
	NoSuchBucketPolicy: 404,
	NoSuchKey: 404,
	NoSuchLifecycleConfiguration: 404,
	NoSuchPublicAccessBlockConfiguration: 404,
	NoSuchTagSet: 404,
	NoSuchUpload: 404,
	NoSuchVersion: 404,
	NotImplemented: 501,
	NotModified: 304,
	OwnershipControlsNotFoundError: 404,
	PermanentRedirect: 301,
	PreconditionFailed: 412,
	RequestTimeTooSkewed: 403,
	ServerSideEncryptionConfigurationNotFoundError: 404,
	SignatureDoesNotMatch: 403,
	XAmzContentSHA256Mismatch: 400,
} as const;

export type S3ErrorCode = keyof typeof statusByCode;

export type S3ErrorDetails = {
	/** More elements of the error's XML, such as `Region`. */
	readonly fields?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
};

/** A refusal that the client gets as S3 would word it. */
export class S3Error extends Error {
	override readonly name = 'S3Error';
	readonly code: S3ErrorCode;
	readonly status: number;
	readonly fields: Readonly<Record<string, string>>;
	readonly headers: Readonly<Record<string, string>>;

	constructor(code: S3ErrorCode, message: string, details: S3ErrorDetails = {}) {
		super(message);
		this.code = code;
		this.status = statusByCode[code];
		this.fields = details.fields ?? {};
		this.headers = details.headers ?? {};
	}
}
