import {createHmac, hash} from 'node:crypto';

export type S3Credentials = {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string | undefined;
};

export type SignableRequest = {
	readonly method: string;
	readonly host: string;
	/** As sent: percent-encoded, without the query. */
	readonly path: string;
	/** As sent: made by `toQueryString`, which sorts it. */
	readonly query: string;
	/** Names in lower case. All of them are signed. */
	readonly headers: Readonly<Record<string, string>>;
	readonly hasBody: boolean;
};

const emptySha256 = hash('sha256', '', 'hex');

/**
Signs requests with AWS Signature Version 4, as "Authenticating Requests: Using the Authorization Header" in the S3 API
reference has it. The signing key changes once a day, so it is kept. Bodies are not part of the signature: a checksum
header, which is signed, stands for their bytes.
*/
export class S3Signer {
	readonly #region: string;
	readonly #nowMs: () => number;
	#cached: {readonly secret: string; readonly date: string; readonly key: Buffer} | undefined;

	constructor({region, nowMs = Date.now}: {region: string; nowMs?: () => number}) {
		this.#region = region;
		this.#nowMs = nowMs;
	}

	/** All headers to send: those given, and those of the signature. */
	sign(
		{method, host, path, query, headers, hasBody}: SignableRequest,
		credentials: S3Credentials,
	): Record<string, string> {
		const time = new Date(this.#nowMs()).toISOString().replaceAll(/[:-]|\.\d{3}/g, '');
		const date = time.slice(0, 8);
		const bodyHash = hasBody ? 'UNSIGNED-PAYLOAD' : emptySha256;
		const signed: Record<string, string> = {...headers, host, 'x-amz-content-sha256': bodyHash, 'x-amz-date': time};
		if (credentials.sessionToken !== undefined) {
			signed['x-amz-security-token'] = credentials.sessionToken;
		}

		const names = Object.keys(signed).sort();
		const nameList = names.join(';');
		const headerLines = names.map(name => `${name}:${signed[name]}\n`).join('');
		const canonicalRequest = `${method}\n${path}\n${query}\n${headerLines}\n${nameList}\n${bodyHash}`;
		const scope = `${date}/${this.#region}/s3/aws4_request`;
		const stringToSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonicalRequest, 'hex')}`;
		const signature = createHmac('sha256', this.#signingKey(credentials.secretAccessKey, date))
			.update(stringToSign)
			.digest('hex');
		signed['authorization'] =
			`AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${nameList}, Signature=${signature}`;
		return signed;
	}

	#signingKey(secret: string, date: string): Buffer {
		if (this.#cached?.secret !== secret || this.#cached.date !== date) {
			let key: Buffer = Buffer.from(`AWS4${secret}`);
			for (const step of [date, this.#region, 's3', 'aws4_request']) {
				key = createHmac('sha256', key).update(step).digest();
			}

			this.#cached = {secret, date, key};
		}

		return this.#cached.key;
	}
}

/** Percent-encodes as SigV4 wants it: everything but letters, digits and `-._~`. */
export const encodeUri = (text: string): string =>
	/^[\w.~-]*$/.test(text)
		? text
		: encodeURIComponent(text).replaceAll(
				/[!'()*]/g,
				character => `%${character.codePointAt(0)!.toString(16).toUpperCase()}`,
			);

/**
A key in a path: slashes stay, and nothing is normalised, so that `a//b` and `../x` reach the server as they are.
*/
export const encodeKey = (key: string): string => encodeUri(key).replaceAll('%2F', '/');

/** A query in the order that the signature needs. Names are plain ASCII. */
export const toQueryString = (parameters: Readonly<Record<string, string | undefined>>): string =>
	Object.keys(parameters)
		.sort()
		.filter(name => parameters[name] !== undefined)
		.map(name => `${name}=${encodeUri(parameters[name] ?? '')}`)
		.join('&');

/** The region of a signature, where the rules of addresses name another one than was asked for. */
export const toSigningRegion = (properties: Readonly<Record<string, unknown>> | undefined): string | undefined => {
	const schemes = properties?.['authSchemes'];
	const scheme: unknown = Array.isArray(schemes) ? schemes[0] : undefined;
	return typeof scheme === 'object' &&
		scheme !== null &&
		'signingRegion' in scheme &&
		typeof scheme.signingRegion === 'string'
		? scheme.signingRegion
		: undefined;
};
