import {hash, type KeyObject} from 'node:crypto';
import type {IncomingHttpHeaders} from 'node:http';
import {S3Error} from './s3-error.ts';
import {encodePath, encodeUri, type RequestTarget} from './request-target.ts';
import {isEqual, sign, signingKeyFor} from './signing-key.ts';

export type Credentials = {readonly accessKeyId: string; readonly secretAccessKey: string};

/** What a verified signature says, as far as the body and the bucket need it. */
export type Signature = {
	readonly region: string;
	readonly scope: string;
	/** As in `x-amz-date`: `20250102T030405Z`. */
	readonly timestamp: string;
	readonly signingKey: KeyObject;
	readonly signature: string;
	/** `x-amz-content-sha256`: a hash, or one of the names that say how the body is signed. */
	readonly payload: string;
};

type SignedRequest = {
	readonly method: string;
	readonly target: RequestTarget;
	readonly headers: IncomingHttpHeaders;
	readonly nowMs: number;
};

type Claim = {
	readonly accessKeyId: string;
	readonly date: string;
	readonly region: string;
	readonly scope: string;
	readonly signedHeaders: readonly string[];
	readonly signature: string;
	readonly timestamp: string;
	readonly payload: string;
	readonly isPresigned: boolean;
};

const skewMsMax = 15 * 60 * 1000;

/**
Checks a request's AWS Signature Version 4, in its header or in its query, and throws what S3 answers to a wrong
one.
*/
export const verifySignature = (request: SignedRequest, credentials: Credentials): Signature => {
	const claim = request.target.query.has('X-Amz-Algorithm') ? readPresigned(request) : readHeader(request);
	if (claim.accessKeyId !== credentials.accessKeyId) {
		throw new S3Error('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
			fields: {AWSAccessKeyId: claim.accessKeyId},
		});
	}

	assertSignedHeaders(claim, request.headers);
	const canonical = canonicalRequest(claim, request);
	const signingKey = signingKeyFor(claim, credentials);
	// Node.js gives header bytes as latin1. Clients sign either those bytes or the UTF-8 of the same text.
	const isValid =
		isSignatureOf(canonical, 'latin1', claim, signingKey) ||
		(/[\u0080-\u00FF]/.test(canonical) && isSignatureOf(canonical, 'utf8', claim, signingKey));
	if (!isValid) {
		throw new S3Error(
			'SignatureDoesNotMatch',
			'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
			{
				fields: {AWSAccessKeyId: claim.accessKeyId, SignatureProvided: claim.signature, CanonicalRequest: canonical},
			},
		);
	}

	const {region, scope, timestamp, signature, payload} = claim;
	return {region, scope, timestamp, signingKey, signature, payload};
};

const readHeader = ({headers, nowMs}: SignedRequest): Claim => {
	const {authorization} = headers;
	if (authorization === undefined) {
		throw new S3Error('AccessDenied', 'Access Denied');
	}

	if (!authorization.startsWith('AWS4-HMAC-SHA256 ')) {
		throw new S3Error(
			'InvalidRequest',
			'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
		);
	}

	const match =
		/^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([\da-f]{64})\s*$/.exec(
			authorization,
		);
	if (match === null) {
		throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header is malformed.');
	}

	const timestamp = textOf(headers['x-amz-date']) ?? toTimestamp(headers.date);
	const atMs = parseTimestamp(timestamp);
	if (atMs === undefined) {
		throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
	}

	if (Math.abs(nowMs - atMs) > skewMsMax) {
		throw new S3Error(
			'RequestTimeTooSkewed',
			'The difference between the request time and the current time is too large.',
			{
				fields: {
					RequestTime: timestamp,
					ServerTime: new Date(nowMs).toISOString(),
					MaxAllowedSkewMilliseconds: String(skewMsMax),
				},
			},
		);
	}

	const payload = textOf(headers['x-amz-content-sha256']);
	if (payload === undefined) {
		throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
	}

	return {
		...readCredential(match[1]!, timestamp, 'AuthorizationHeaderMalformed'),
		signedHeaders: match[2]!.split(';'),
		signature: match[3]!,
		timestamp,
		payload,
		isPresigned: false,
	};
};

const readPresigned = ({target: {query}, headers, nowMs}: SignedRequest): Claim => {
	const malformed = (why: string) => new S3Error('AuthorizationQueryParametersError', why);
	const timestamp = query.get('X-Amz-Date') ?? '';
	const atMs = parseTimestamp(timestamp);
	const expiresSeconds = Number(query.get('X-Amz-Expires'));
	const credential = query.get('X-Amz-Credential');
	const signedHeaders = query.get('X-Amz-SignedHeaders');
	const signature = query.get('X-Amz-Signature');
	if (
		query.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256' ||
		credential === undefined ||
		signedHeaders === undefined ||
		signature === undefined ||
		atMs === undefined
	) {
		throw malformed(
			'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
		);
	}

	if (!(Number.isInteger(expiresSeconds) && expiresSeconds > 0 && expiresSeconds <= 604_800)) {
		throw malformed('X-Amz-Expires must be between 1 and 604800 seconds');
	}

	if (atMs - nowMs > skewMsMax) {
		throw new S3Error('AccessDenied', 'Request is not valid yet');
	}

	if (nowMs > atMs + expiresSeconds * 1000) {
		throw new S3Error('AccessDenied', 'Request has expired', {
			fields: {
				Expires: new Date(atMs + expiresSeconds * 1000).toISOString(),
				ServerTime: new Date(nowMs).toISOString(),
			},
		});
	}

	const payload = query.get('X-Amz-Content-Sha256') ?? textOf(headers['x-amz-content-sha256']) ?? 'UNSIGNED-PAYLOAD';
	return {
		...readCredential(credential, timestamp, 'AuthorizationQueryParametersError'),
		signedHeaders: signedHeaders.split(';'),
		signature,
		timestamp,
		payload,
		isPresigned: true,
	};
};

const readCredential = (
	credential: string,
	timestamp: string,
	code: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError',
) => {
	const [accessKeyId, date, region, service, terminator, ...rest] = credential.split('/');
	if (
		accessKeyId === undefined ||
		date === undefined ||
		region === undefined ||
		service !== 's3' ||
		terminator !== 'aws4_request' ||
		rest.length > 0
	) {
		throw new S3Error(code, 'The credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request".');
	}

	if (date !== timestamp.slice(0, 8)) {
		throw new S3Error(
			code,
			`Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
		);
	}

	return {accessKeyId, date, region, scope: `${date}/${region}/s3/aws4_request`};
};

/** S3 wants the host and every `x-amz-` header signed: what is not signed could have been added on the way. */
const assertSignedHeaders = ({signedHeaders, isPresigned}: Claim, headers: IncomingHttpHeaders): void => {
	const unsigned = Object.keys(headers).filter(
		name =>
			(name === 'host' || name.startsWith('x-amz-')) &&
			!signedHeaders.includes(name) &&
			!(isPresigned && name === 'x-amz-content-sha256'),
	);
	if (unsigned.length > 0) {
		throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
			fields: {HeadersNotSigned: unsigned.join(', ')},
		});
	}
};

const canonicalRequest = (claim: Claim, {method, target, headers}: SignedRequest): string => {
	let canonicalHeaders = '';
	for (const name of claim.signedHeaders) {
		const value = textOf(headers[name]) ?? '';
		canonicalHeaders += `${name}:${value.includes('  ') ? value.trim().replaceAll(/ +/g, ' ') : value.trim()}\n`;
	}

	return `${method}\n${encodePath(target.rawPath)}\n${canonicalQuery(target)}\n${canonicalHeaders}\n${claim.signedHeaders.join(';')}\n${claim.payload}`;
};

const canonicalQuery = ({parameters}: RequestTarget): string =>
	parameters.length === 0
		? ''
		: parameters
				.filter(([name]) => name !== 'X-Amz-Signature')
				.map(([name, value]) => `${encodeUri(name)}=${encodeUri(value)}`)
				.sort()
				.join('&');

const isSignatureOf = (
	canonical: string,
	encoding: 'latin1' | 'utf8',
	{timestamp, scope, signature}: Claim,
	signingKey: KeyObject,
): boolean => {
	const canonicalHash = hash('sha256', Buffer.from(canonical, encoding));
	return isEqual(sign(signingKey, `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${canonicalHash}`), signature);
};

const parseTimestamp = (timestamp: string): number | undefined => {
	const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
	return match === null
		? undefined
		: Date.UTC(
				Number(match[1]),
				Number(match[2]) - 1,
				Number(match[3]),
				Number(match[4]),
				Number(match[5]),
				Number(match[6]),
			);
};

const toTimestamp = (date: string | undefined): string => {
	const atMs = Date.parse(date ?? '');
	return Number.isNaN(atMs) ? '' : new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
};

const textOf = (value: string | string[] | undefined): string | undefined =>
	Array.isArray(value) ? value.join(',') : value;
