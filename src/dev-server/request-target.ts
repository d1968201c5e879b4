import {keyBytesMax} from '../model/object-key.ts';
import {S3Error} from './s3-error.ts';

/** What a request is about, from its URL and its Host header. */
export type RequestTarget = {
	/** The path as it was sent, for the signature. */
	readonly rawPath: string;
	/** Empty for requests to the service. */
	readonly bucket: string;
	/** Empty for requests to a bucket. */
	readonly key: string;
	/** Decoded; a parameter that is given twice keeps its first value. */
	readonly query: ReadonlyMap<string, string>;
	/** Decoded pairs in the order they were sent, for the signature. */
	readonly parameters: ReadonlyArray<readonly [string, string]>;
};

// Besides the path style (`/bucket/key`): `bucket.localhost` and `bucket.127.0.0.1`, each with any port.
const hostPattern = /^(.+)\.(?:localhost|127\.0\.0\.1)(?::\d+)?$/i;

/** Splits a request's URL into bucket, key and query; keys keep every slash and dot as written. */
export const parseRequestTarget = (url: string, host: string): RequestTarget => {
	const relative = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
	const mark = relative.indexOf('?');
	const rawPath = (mark === -1 ? relative : relative.slice(0, mark)) || '/';
	const parameters = mark === -1 ? [] : parseQuery(relative.slice(mark + 1));
	const query = new Map<string, string>();
	for (const [name, value] of parameters) {
		if (!query.has(name)) {
			query.set(name, value);
		}
	}

	const hostBucket = hostPattern.exec(host)?.[1];
	const slash = hostBucket === undefined ? rawPath.indexOf('/', 1) : 0;
	const bucket = hostBucket ?? decode(slash === -1 ? rawPath.slice(1) : rawPath.slice(1, slash));
	const key = slash === -1 ? '' : decode(rawPath.slice(slash + 1));
	return {rawPath, bucket, key, query, parameters};
};

/** Refuses keys that S3 refuses. */
export const assertKey = (key: string): void => {
	const bytes = key.length > keyBytesMax / 3 ? Buffer.byteLength(key) : key.length;
	if (bytes > keyBytesMax) {
		throw new S3Error('KeyTooLongError', 'Your key is too long', {
			fields: {Size: String(bytes), MaxSizeAllowed: String(keyBytesMax)},
		});
	}
};

const parseQuery = (rawQuery: string): Array<readonly [string, string]> =>
	rawQuery
		.split('&')
		.filter(pair => pair !== '')
		.map(pair => {
			const equals = pair.indexOf('=');
			return equals === -1
				? [decodeParameter(pair), '']
				: [decodeParameter(pair.slice(0, equals)), decodeParameter(pair.slice(equals + 1))];
		});

const decodeParameter = (raw: string): string => decode(raw.includes('+') ? raw.replaceAll('+', ' ') : raw);

const decode = (raw: string): string => {
	if (/^[\u0021-\u0024\u0026-\u007E ]*$/.test(raw)) {
		return raw;
	}

	try {
		// Node.js gives bytes above 0x7F as latin1; clients that do not escape them mean UTF-8.
		return decodeURIComponent(
			raw.replaceAll(/[\u0080-\u00FF]/g, character => `%${character.charCodeAt(0).toString(16)}`),
		);
	} catch (cause) {
		throw Object.assign(new S3Error('InvalidURI', 'Could not parse the specified URI.'), {cause});
	}
};

/** Percent-encodes as the signature wants it: everything but letters, digits and `-._~`. */
export const encodeUri = (text: string): string =>
	/^[\w.~-]*$/.test(text)
		? text
		: encodeURIComponent(text).replaceAll(
				/[!'()*]/g,
				character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
			);

/** The canonical form of a path: each component encoded once, slashes kept. */
export const encodePath = (rawPath: string): string =>
	/^[\w.~/-]*$/.test(rawPath)
		? rawPath
		: rawPath
				.split('/')
				.map(component => encodeUri(decode(component)))
				.join('/');
