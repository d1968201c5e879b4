import {createHash} from 'node:crypto';
import {toError} from '../model/error-text.ts';
import {AwsChunkedDecoder} from './aws-chunked.ts';
import {headerOf, type Call} from './call.ts';
import {
	checksumAlgorithms,
	checksumHeader,
	createChecksum,
	isChecksumValue,
	type Checksum,
	type ChecksumAlgorithm,
	type ChecksumState,
} from './checksum.ts';
import {S3Error} from './s3-error.ts';

export type BodyDigest = {readonly sizeBytes: number; readonly md5: Buffer; readonly checksum?: Checksum | undefined};

export type BodyOptions = {
	readonly sizeBytesMax: number;
	/** Computed also when the client sends none. */
	readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
	/** Takes the bytes; a promise makes the sender wait. */
	readonly onData: (data: Buffer) => Promise<void> | undefined;
};

type Expectation = {
	algorithm: ChecksumAlgorithm;
	state: ChecksumState /** In the trailer when undefined. */;
	value: string | undefined;
};

/**
Streams a request's body and checks everything that the client said of it: length, framing, signatures, hash,
Content-MD5 and checksum. Nothing may be made visible before it resolves.
*/
export const receiveBody = async (call: Call, options: BodyOptions): Promise<BodyDigest> => {
	const {payload} = call.signature;
	const expectedBytes = declaredBytes(call, options.sizeBytesMax);
	const contentMd5 = parseContentMd5(headerOf(call, 'content-md5'));
	const expectation = expectedChecksum(call, options.checksumAlgorithm);
	const md5 = createHash('md5');
	const sha256 = /^[\da-f]{64}$/.test(payload) ? createHash('sha256') : undefined;
	let sizeBytes = 0;
	let wait: Promise<void> | undefined;
	const take = (data: Buffer): void => {
		sizeBytes += data.length;
		if (sizeBytes > options.sizeBytesMax) {
			throw tooLarge(options.sizeBytesMax);
		}

		md5.update(data);
		sha256?.update(data);
		expectation?.state.update(data);
		wait = options.onData(data);
	};

	const decoder = payload.startsWith('STREAMING-')
		? new AwsChunkedDecoder({
				signature: payload.startsWith('STREAMING-UNSIGNED') ? undefined : call.signature,
				onData: take,
			})
		: undefined;
	await pump(call, expectedBytes, data => {
		wait = undefined;
		if (decoder === undefined) {
			take(data);
		} else {
			decoder.push(data);
		}

		return wait;
	});
	decoder?.finish();
	if (sizeBytes !== expectedBytes) {
		throw new S3Error(
			'IncompleteBody',
			'You did not provide the number of bytes specified by the Content-Length HTTP header',
		);
	}

	if (sha256 !== undefined && sha256.digest('hex') !== payload) {
		throw new S3Error(
			'XAmzContentSHA256Mismatch',
			"The provided 'x-amz-content-sha256' header does not match what was computed.",
		);
	}

	const md5Digest = md5.digest();
	if (contentMd5 !== undefined && !contentMd5.equals(md5Digest)) {
		throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
	}

	return {sizeBytes, md5: md5Digest, checksum: checkChecksum(expectation, decoder?.trailers)};
};

const declaredBytes = (call: Call, sizeBytesMax: number): number => {
	const isFramed = call.signature.payload.startsWith('STREAMING-');
	const declared = isFramed ? headerOf(call, 'x-amz-decoded-content-length') : headerOf(call, 'content-length');
	if (declared === undefined) {
		if (!isFramed && headerOf(call, 'transfer-encoding') !== undefined) {
			throw new S3Error(
				'NotImplemented',
				'A header you provided implies functionality that is not implemented: Transfer-Encoding',
			);
		}

		throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
	}

	const bytes = /^\d{1,15}$/.test(declared) ? Number(declared) : Number.NaN;
	if (Number.isNaN(bytes)) {
		throw new S3Error('InvalidArgument', `Invalid length: ${declared}`);
	}

	if (bytes > sizeBytesMax) {
		throw tooLarge(sizeBytesMax);
	}

	return bytes;
};

const tooLarge = (sizeBytesMax: number) =>
	new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
		fields: {MaxSizeAllowed: String(sizeBytesMax)},
	});

const parseContentMd5 = (header: string | undefined): Buffer | undefined => {
	const digest = header === undefined ? undefined : Buffer.from(header, 'base64');
	if (digest !== undefined && digest.length !== 16) {
		throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.');
	}

	return digest;
};

/** The algorithms of which the request brings a value, in a header or in its trailer. */
export const sentChecksumAlgorithms = (call: Call): ChecksumAlgorithm[] => {
	const trailer = headerOf(call, 'x-amz-trailer')?.trim().toLowerCase();
	return checksumAlgorithms.filter(
		algorithm => headerOf(call, checksumHeader(algorithm)) !== undefined || trailer === checksumHeader(algorithm),
	);
};

const expectedChecksum = (call: Call, wanted: ChecksumAlgorithm | undefined): Expectation | undefined => {
	const sent = sentChecksumAlgorithms(call);
	if (sent.length > 1) {
		throw new S3Error(
			'InvalidRequest',
			'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
		);
	}

	const algorithm = sent[0] ?? wanted;
	if (algorithm === undefined) {
		return undefined;
	}

	const value = headerOf(call, checksumHeader(algorithm));
	if (value !== undefined && !isChecksumValue(algorithm, value)) {
		throw new S3Error('InvalidRequest', `Value for ${checksumHeader(algorithm)} header is invalid.`);
	}

	return {algorithm, state: createChecksum(algorithm), value};
};

const checkChecksum = (
	expectation: Expectation | undefined,
	trailers: ReadonlyMap<string, string> | undefined,
): Checksum | undefined => {
	if (expectation === undefined) {
		return undefined;
	}

	const {algorithm, state} = expectation;
	const expected = expectation.value ?? trailers?.get(checksumHeader(algorithm));
	const value = state.digest();
	if (expected !== undefined && expected !== value) {
		throw new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
	}

	return {algorithm, value, type: 'FULL_OBJECT'};
};

/** Feeds the request's bytes to a consumer; rejects when the consumer throws or the client goes away. */
const pump = (call: Call, expectedBytes: number, consume: (data: Buffer) => Promise<void> | undefined): Promise<void> =>
	new Promise((resolve, reject) => {
		const {request, response, faults} = call;
		const breaks = faults.drop === 'body' || faults.stall === 'body';
		let seenBytes = 0;
		const fail = (error: unknown): void => {
			request.off('data', onData);
			request.resume(); // What still comes is read and forgotten, so that the client gets to read its answer.
			reject(toError(error));
		};

		const onData = (data: Buffer): void => {
			seenBytes += data.length;
			if (breaks && seenBytes * 2 >= expectedBytes) {
				request.off('data', onData);
				request.pause();
				if (faults.drop === 'body') {
					request.socket.destroy();
				}

				return;
			}

			try {
				const wait = consume(data);
				if (wait !== undefined) {
					request.pause();
					wait.then(() => request.resume(), fail);
				}
			} catch (error) {
				fail(error);
			}
		};

		if (request.closed && !request.readableEnded) {
			reject(new ClientGoneError('The client went away before the request body was read'));
			return;
		}

		request.on('data', onData);
		let isEnded = false;
		request.once('end', () => {
			isEnded = true;
			resolve();
		});
		request.once('error', fail);
		request.once('close', () => {
			if (!isEnded) {
				reject(new ClientGoneError('The client went away in the middle of the request body'));
			}
		});
		if (call.isContinueExpected) {
			response.writeContinue();
		}
	});

/** There is nobody left to answer. */
export class ClientGoneError extends Error {
	override readonly name = 'ClientGoneError';
}

/** A small body as a whole: the documents of the API. */
export const readDocument = async (
	call: Call,
	sizeBytesMax = 2 * 1024 * 1024,
): Promise<{text: string; digest: BodyDigest}> => {
	const pieces: Buffer[] = [];
	const digest = await receiveBody(call, {
		sizeBytesMax,
		onData(data) {
			pieces.push(data);
			return undefined;
		},
	});
	return {text: Buffer.concat(pieces).toString('utf8'), digest};
};
