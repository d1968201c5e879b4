import type {ServerResponse} from 'node:http';
import type {Answer, StoredBody} from './call.ts';
import type {FaultPlan} from './fault-plan.ts';
import type {BlobStore} from './storage/blob-store.ts';
import {readSegments} from './storage/segment-reader.ts';

type Sending = {
	readonly response: ServerResponse;
	readonly answer: Answer;
	readonly requestId: string;
	readonly faults: FaultPlan;
	readonly blobs: BlobStore;
};

/** Bodies up to this size are read and sent at once. */
const smallBytesMax = 64 * 1024;

/** Sends an answer; resolves when its last byte was given to the socket or the client went away. */
export const sendAnswer = async ({response, answer, requestId, faults, blobs}: Sending): Promise<void> => {
	const {status, headers, body} = answer;
	const text = typeof body === 'string' ? Buffer.from(body) : undefined;
	const isHead = response.req.method === 'HEAD';
	response.writeHead(status, {
		'x-amz-request-id': requestId,
		'x-amz-id-2': requestId,
		server: 'AmazonS3',
		...(status === 204 || status === 304 || (isHead && headers?.['content-length'] !== undefined)
			? {}
			: {'content-length': text?.length ?? 0}),
		...headers,
	});
	if (isHead || body === undefined || text?.length === 0) {
		response.end();
	} else if (text !== undefined) {
		sendBytes(response, text, {...faults, isCorrupted: false});
	} else if (typeof body === 'object' && body.sizeBytes <= smallBytesMax) {
		sendBytes(response, blobs.readSync(body.segments), faults);
	} else if (typeof body === 'object') {
		await stream(response, body, {faults, blobs});
	}
};

const sendBytes = (response: ServerResponse, bytes: Buffer, faults: FaultPlan): void => {
	const middle = bytes.length >>> 1;
	if (faults.isCorrupted && bytes.length > 0) {
		bytes[middle]! ^= 0xff;
	}

	if (faults.drop === 'body') {
		response.write(bytes.subarray(0, middle), () => response.destroy());
	} else if (faults.stall === 'body') {
		response.write(bytes.subarray(0, middle));
	} else {
		response.end(bytes);
	}
};

const stream = async (
	response: ServerResponse,
	{segments, sizeBytes}: StoredBody,
	{faults, blobs}: {faults: FaultPlan; blobs: BlobStore},
): Promise<void> => {
	const middle = Math.floor(sizeBytes / 2);
	let offset = 0;
	for await (const {bytes, recycle} of readSegments(blobs, segments)) {
		const holdsMiddle = offset <= middle && middle < offset + bytes.length;
		if (holdsMiddle && faults.isCorrupted) {
			bytes[middle - offset]! ^= 0xff;
		}

		if (holdsMiddle && faults.stall === 'body') {
			response.write(bytes.subarray(0, middle - offset), recycle);
			return;
		}

		if (holdsMiddle && faults.drop === 'body') {
			response.write(bytes.subarray(0, middle - offset), () => response.destroy());
			return;
		}

		offset += bytes.length;
		const isTaken = response.write(bytes, recycle);
		if (!isTaken) {
			await drained(response);
		}

		if (response.destroyed) {
			return;
		}
	}

	response.end();
};

const drained = (response: ServerResponse): Promise<void> =>
	new Promise(resolve => {
		const done = (): void => {
			response.off('drain', done);
			response.off('close', done);
			resolve();
		};

		response.on('drain', done);
		response.on('close', done);
		if (response.destroyed) {
			done();
		}
	});
