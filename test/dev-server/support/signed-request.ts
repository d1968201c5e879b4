import {createHash, createHmac} from 'node:crypto';
import {request as httpRequest, type IncomingHttpHeaders} from 'node:http';

/** A request to an S3 server, signed here and not by the SDK: for what the SDK would not send. */
type SignedRequestOptions = {
	endpoint: string;
	method: string;
	/** As it goes over the wire: percent-encoded. */
	path: string;
	query?: Record<string, string>;
	/** Signed with the rest. */
	headers?: Record<string, string>;
	/** Sent, but not signed. */
	unsignedHeaders?: Record<string, string>;
	/** `x-amz-content-sha256`; default: the hash of the body. */
	payload?: string;
	body?: Uint8Array | string | ((seed: SignatureSeed) => Uint8Array);
	/** Another Host header than the endpoint's. */
	host?: string;
	region?: string;
	at?: Date;
	accessKeyId?: string;
	secretAccessKey?: string;
};

export type SignatureSeed = {signature: string; key: Buffer; timestamp: string; scope: string};
type RawAnswer = {status: number; headers: IncomingHttpHeaders; body: Buffer; code: string | undefined};

const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
const encode = (text: string): string =>
	encodeURIComponent(text).replaceAll(
		/[!'()*]/g,
		character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
	);

/** Sends the request, and reads the whole answer. */
export const sendSigned = async (options: SignedRequestOptions): Promise<RawAnswer> => {
	const {endpoint, method, path, query = {}, headers = {}, body = '', region = 'us-east-1', at = new Date()} = options;
	const {accessKeyId = 'dev', secretAccessKey = 'dev-secret'} = options;
	const timestamp = toTimestamp(at);
	const payload = options.payload ?? sha256(typeof body === 'function' ? '' : body);
	const signed: Record<string, string> = {
		host: options.host ?? new URL(endpoint).host,
		'x-amz-date': timestamp,
		'x-amz-content-sha256': payload,
		...headers,
	};
	const names = Object.keys(signed).sort();
	const queryText = toQueryText(query);
	const canonical = [
		method,
		path,
		queryText,
		...names.map(name => `${name}:${signed[name]!.trim()}`),
		'',
		names.join(';'),
		payload,
	].join('\n');
	const seed = sign(canonical, {timestamp, region, secretAccessKey});
	const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${seed.scope}, SignedHeaders=${names.join(';')}, Signature=${seed.signature}`;
	return sendRaw({
		endpoint,
		method,
		path: queryText === '' ? path : `${path}?${queryText}`,
		headers: {...signed, authorization, ...options.unsignedHeaders},
		body: typeof body === 'function' ? body(seed) : body,
	});
};

/** A URL that carries its signature in the query. */
export const presign = ({
	endpoint,
	method,
	path,
	query = {},
	expiresSeconds = 60,
	at = new Date(),
	secretAccessKey = 'dev-secret',
}: Pick<SignedRequestOptions, 'endpoint' | 'method' | 'path' | 'query' | 'at' | 'secretAccessKey'> & {
	expiresSeconds?: number;
}): string => {
	const timestamp = toTimestamp(at);
	const queryText = toQueryText({
		...query,
		'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
		'X-Amz-Credential': `dev/${timestamp.slice(0, 8)}/us-east-1/s3/aws4_request`,
		'X-Amz-Date': timestamp,
		'X-Amz-Expires': String(expiresSeconds),
		'X-Amz-SignedHeaders': 'host',
	});
	const canonical = [method, path, queryText, `host:${new URL(endpoint).host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join(
		'\n',
	);
	return `${path}?${queryText}&X-Amz-Signature=${sign(canonical, {timestamp, region: 'us-east-1', secretAccessKey}).signature}`;
};

/** The signature of one piece of a body, behind the one before it. */
export const signPiece = ({key, timestamp, scope}: SignatureSeed, previous: string, piece: Uint8Array): string =>
	hmac(key, `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}\n${sha256('')}\n${sha256(piece)}`).toString(
		'hex',
	);

export const signTrailer = ({key, timestamp, scope}: SignatureSeed, previous: string, trailer: string): string =>
	hmac(key, `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${previous}\n${sha256(trailer)}`).toString('hex');

export const sendRaw = ({
	endpoint,
	method,
	path,
	headers,
	body,
}: {
	endpoint: string;
	method: string;
	path: string;
	headers: Record<string, string>;
	body?: Uint8Array | string;
}): Promise<RawAnswer> =>
	new Promise((resolve, reject) => {
		const {hostname, port} = new URL(endpoint);
		const length = body === undefined || body.length === 0 ? {} : {'content-length': String(Buffer.byteLength(body))};
		const request = httpRequest({hostname, port, method, path, headers: {...length, ...headers}}, response => {
			const pieces: Buffer[] = [];
			response.on('data', (piece: Buffer) => pieces.push(piece));
			response.on('error', reject);
			response.on('end', () => {
				const answer = Buffer.concat(pieces);
				resolve({
					status: response.statusCode ?? 0,
					headers: response.headers,
					body: answer,
					code: /<Code>(\w+)<\/Code>/.exec(answer.toString())?.[1],
				});
			});
		});
		request.on('error', reject);
		request.end(body);
	});

const sign = (
	canonical: string,
	{timestamp, region, secretAccessKey}: {timestamp: string; region: string; secretAccessKey: string},
): SignatureSeed => {
	const date = timestamp.slice(0, 8);
	const scope = `${date}/${region}/s3/aws4_request`;
	const key = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), 's3'), 'aws4_request');
	return {
		signature: hmac(key, `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`).toString('hex'),
		key,
		timestamp,
		scope,
	};
};

const toTimestamp = (at: Date): string => at.toISOString().replaceAll(/[-:]|\.\d+/g, '');

const toQueryText = (query: Record<string, string>): string =>
	Object.entries(query)
		.map(([name, value]) => `${encode(name)}=${encode(value)}`)
		.sort()
		.join('&');
