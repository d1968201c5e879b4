import {createHash, hash, type Hash} from 'node:crypto';
import {S3Error} from './s3-error.ts';
import type {Signature} from './signature.ts';
import {isEqual, sign} from './signing-key.ts';

const lineBytesMax = 16 * 1024;
const emptyHash = hash('sha256', '');

/**
Takes the `aws-chunked` framing off a body:
```
SIZE-IN-HEX[;chunk-signature=SIGNATURE] CR LF data CR LF … 0[;chunk-signature=…] CR LF [trailer: value CR LF …] CR LF
```
Signed ones chain: each signature covers the one before, beginning with the request's own.
*/
export class AwsChunkedDecoder {
	readonly #signature: Signature | undefined;
	readonly #onData: (data: Buffer) => void;
	readonly trailers = new Map<string, string>();
	#state: 'size' | 'data' | 'dataEnd' | 'trailer' | 'done' = 'size';
	#line = '';
	#restBytes = 0;
	#previous: string;
	#claimed = '';
	#hash: Hash | undefined;
	#trailerText = '';

	/** With a signature, each piece must be signed. */
	constructor(options: {signature: Signature | undefined; onData: (data: Buffer) => void}) {
		this.#signature = options.signature;
		this.#onData = options.onData;
		this.#previous = options.signature?.signature ?? '';
	}

	push(data: Buffer): void {
		let offset = 0;
		while (offset < data.length) {
			if (this.#state === 'done') {
				throw new S3Error('IncompleteBody', 'The request body goes on after its last piece');
			}

			if (this.#state === 'data') {
				const piece = data.subarray(offset, offset + this.#restBytes);
				offset += piece.length;
				this.#takeData(piece);
			} else {
				const end = data.indexOf(0x0a, offset);
				this.#line += data.toString('latin1', offset, end === -1 ? data.length : end);
				offset = end === -1 ? data.length : end + 1;
				if (this.#line.length > lineBytesMax) {
					throw malformed();
				}

				if (end !== -1) {
					const line = this.#line.replace(/\r$/, '');
					this.#line = '';
					this.#takeLine(line);
				}
			}
		}
	}

	/** The body came to its end. */
	finish(): void {
		if (this.#state !== 'done') {
			throw new S3Error('IncompleteBody', 'The request body terminated unexpectedly');
		}
	}

	#takeData(piece: Buffer): void {
		this.#hash?.update(piece);
		this.#onData(piece);
		this.#restBytes -= piece.length;
		if (this.#restBytes === 0) {
			this.#verifyPiece();
			this.#state = 'dataEnd';
		}
	}

	#takeLine(line: string): void {
		switch (this.#state) {
			case 'size': {
				const match = /^([\da-f]{1,12})(?:;chunk-signature=([\da-f]{64}))?$/i.exec(line);
				if (match === null || (this.#signature !== undefined && match[2] === undefined)) {
					throw malformed();
				}

				this.#restBytes = Number.parseInt(match[1]!, 16);
				this.#claimed = match[2] ?? '';
				this.#hash = this.#signature === undefined ? undefined : createHash('sha256');
				this.#state = this.#restBytes === 0 ? 'trailer' : 'data';
				if (this.#restBytes === 0) {
					this.#verifyPiece();
				}

				return;
			}

			case 'dataEnd': {
				if (line !== '') {
					throw malformed();
				}

				this.#state = 'size';
				return;
			}

			case 'trailer': {
				this.#takeTrailer(line);
				return;
			}

			case 'data':
			case 'done': {
				throw malformed();
			}
		}
	}

	#takeTrailer(line: string): void {
		if (line === '') {
			const needsSignature = this.#signature?.payload.endsWith('-TRAILER') === true;
			if (needsSignature && !this.trailers.has('x-amz-trailer-signature')) {
				throw malformed();
			}

			this.#state = 'done';
			return;
		}

		const colon = line.indexOf(':');
		const name = line.slice(0, colon).trim().toLowerCase();
		const value = line.slice(colon + 1).trim();
		if (colon < 1 || this.trailers.size >= 16) {
			throw malformed();
		}

		this.trailers.set(name, value);
		if (name !== 'x-amz-trailer-signature') {
			this.#trailerText += `${name}:${value}\n`;
		} else if (this.#signature !== undefined) {
			const {timestamp, scope, signingKey} = this.#signature;
			this.#verify(
				value,
				sign(
					signingKey,
					`AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${this.#previous}\n${hash('sha256', this.#trailerText)}`,
				),
			);
		}
	}

	#verifyPiece(): void {
		if (this.#signature !== undefined && this.#hash !== undefined) {
			const {timestamp, scope, signingKey} = this.#signature;
			const pieceHash = this.#hash.digest('hex');
			this.#hash = undefined;
			this.#verify(
				this.#claimed,
				sign(
					signingKey,
					`AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${this.#previous}\n${emptyHash}\n${pieceHash}`,
				),
			);
			this.#previous = this.#claimed;
		}
	}

	#verify(claimed: string, expected: string): void {
		if (!isEqual(claimed, expected)) {
			throw new S3Error(
				'SignatureDoesNotMatch',
				'The signature of a piece of the request body does not match the signature you provided. Check your key and signing method.',
			);
		}
	}
}

const malformed = () => new S3Error('InvalidRequest', 'The request body is not framed as aws-chunked');
