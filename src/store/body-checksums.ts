import {createHash} from 'node:crypto';
import type {S3Answer} from './s3-connection.ts';
import {toBase64, toPieces, type WriteBody} from './write-body.ts';

/**
The headers by which a server finds that a body was damaged on its way. Servers that know the CRC-32 answer with it.
Others ignore it (Ceph RGW 16 takes a wrong one), but compare Content-MD5, which costs seven times as much: they get it
where the connection does not protect bytes.
*/
export class BodyChecksums {
	readonly #isEncrypted: boolean;
	#isCrcIgnored = false;

	constructor({isEncrypted}: {isEncrypted: boolean}) {
		this.#isEncrypted = isEncrypted;
	}

	/** For a body with this CRC-32. */
	headersOf(body: WriteBody, crc: number): Record<string, string | undefined> {
		return {
			'x-amz-checksum-crc32': toBase64(crc),
			'content-md5': this.#isCrcIgnored && !this.#isEncrypted ? md5Base64(body) : undefined,
		};
	}

	/** The server has taken a body with these headers, and has answered. */
	note({headers}: S3Answer): void {
		// Where the answer was lost it is one to HEAD, which says nothing of this.
		if (headers['last-modified'] === undefined) {
			this.#isCrcIgnored = headers['x-amz-checksum-crc32'] === undefined;
		}
	}
}

const md5Base64 = (body: WriteBody): string => {
	const hash = createHash('md5');
	for (const piece of toPieces(body)) {
		hash.update(piece);
	}

	return hash.digest('base64');
};
