import {createHash} from 'node:crypto';

/** The etag that S3 gives an object that was put in one request (unless SSE-KMS encrypts it): the MD5 of its bytes. */
export const md5Hex = (body: Uint8Array | readonly Uint8Array[]): string => {
	const hash = createHash('md5');
	for (const piece of body instanceof Uint8Array ? [body] : body) {
		hash.update(piece);
	}

	return hash.digest('hex');
};

/** The etag that S3 gives an object of several parts: the MD5 of the parts' MD5s, then the count of the parts. */
export const toMultipartEtag = (partEtags: readonly string[]): string =>
	`${md5Hex(partEtags.map(etag => Buffer.from(etag, 'hex')))}-${partEtags.length}`;
