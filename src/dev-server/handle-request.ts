import {randomBytes} from 'node:crypto';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {setTimeout as sleep} from 'node:timers/promises';
import {stackOf} from '../model/error-text.ts';
import {actions} from './actions.ts';
import {assertBucketAccess} from './bucket-access.ts';
import type {Answer, Call} from './call.ts';
import {errorAnswer, faultAnswer} from './error-answer.ts';
import {planFaults, type FaultPlan} from './fault-plan.ts';
import type {FaultSettings} from './fault-settings.ts';
import {operationOf} from './operation.ts';
import {ClientGoneError} from './request-body.ts';
import type {LoggedRequest, RequestLog} from './request-log.ts';
import {assertKey, parseRequestTarget, type RequestTarget} from './request-target.ts';
import {S3Error} from './s3-error.ts';
import {sendAnswer} from './send-answer.ts';
import {verifySignature, type Credentials} from './signature.ts';
import type {Segment} from './storage/segment.ts';
import type {Storage} from './storage/storage.ts';

/** The parts of the server that every request needs. */
export type ServerParts = {
	readonly storage: Storage;
	readonly credentials: Credentials;
	readonly region: string | undefined;
	readonly faults: FaultSettings;
	readonly requests: RequestLog;
	readonly random: () => number;
	readonly log: (line: string) => void;
	/** Aborted when the server closes: ends waits that a test asked for. */
	readonly closing: AbortSignal;
};

export type Exchange = {
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	readonly isContinueExpected: boolean;
};

/** Answers one request of the S3 API: signature, bucket, action, answer, with the faults that are set in between. */
export const handleRequest = async (parts: ServerParts, exchange: Exchange): Promise<void> => {
	const {request, response} = exchange;
	const {method = 'GET', url = '/', headers} = request;
	const requestId = nextRequestId();
	const place = {resource: url.split('?', 1)[0]!, requestId};
	const held: Segment[] = [];
	const startMs = performance.now();
	let entry: LoggedRequest | undefined;
	let faults: FaultPlan = {latencyMs: 0, isCorrupted: false};
	let answer: Answer;
	try {
		try {
			const target = parseRequestTarget(url, headers.host ?? '');
			const operation = operationOf(method, target, headers) ?? 'Unknown';
			entry = parts.requests.add({
				operation,
				bucket: target.bucket,
				key: target.key,
				atMs: Date.now(),
				range: headers.range,
			});
			faults = planFaults(parts.faults, {operation, key: target.key}, parts.random);
			if (await isSilenced(faults, 'before', exchange, parts.closing)) {
				return;
			}

			answer =
				faults.error === undefined
					? await act(parts, exchange, {target, operation, faults, held})
					: faultAnswer(faults.error, place);
			entry.code = faults.error?.code;
		} catch (error) {
			if (error instanceof ClientGoneError) {
				return;
			}

			answer = errorAnswer(error, place);
			if (entry !== undefined) {
				entry.code = error instanceof S3Error ? error.code : 'InternalError';
			}

			if (!(error instanceof S3Error)) {
				parts.log(`${method} ${url} failed: ${stackOf(error)}`);
			}
		}

		if (await isSilenced(faults, 'after', exchange, parts.closing)) {
			return;
		}

		if (exchange.isContinueExpected && answer.status >= 300) {
			// Whether the client still sends the body is its choice: what follows on the connection is unknown.
			response.setHeader('connection', 'close');
		}

		if (entry !== undefined) {
			entry.status = answer.status;
		}

		await sendAnswer({response, answer, requestId, faults, blobs: parts.storage.blobs});
	} finally {
		parts.storage.blobs.release(held);
		if (entry !== undefined) {
			entry.durationMs = performance.now() - startMs;
			parts.log(
				`${entry.status} ${entry.operation} ${entry.bucket}/${entry.key} ${entry.durationMs.toFixed(1)} ms${entry.code === undefined ? '' : ` ${entry.code}`}`,
			);
		}
	}
};

// Unique is enough: fresh random bytes would cost more than the rest of a small answer.
const requestIdPrefix = randomBytes(5).toString('hex').toUpperCase();
let requestCount = 0;
const nextRequestId = (): string => requestIdPrefix + (requestCount++).toString(16).toUpperCase().padStart(6, '0');

type Routed = {
	readonly target: RequestTarget;
	readonly operation: string;
	readonly faults: FaultPlan;
	readonly held: Segment[];
};

const act = (
	parts: ServerParts,
	{request, response, isContinueExpected}: Exchange,
	{target, operation, faults, held}: Routed,
): Answer | Promise<Answer> => {
	const {storage} = parts;
	const nowMs = Date.now();
	const signature = verifySignature(
		{method: request.method ?? 'GET', target, headers: request.headers, nowMs},
		parts.credentials,
	);
	assertKey(target.key);
	assertBucketAccess({
		operation,
		copySource: request.headers['x-amz-copy-source'],
		target,
		signature,
		storage,
		faults: parts.faults,
		region: parts.region,
	});
	const action = actions.get(operation);
	if (action === undefined) {
		throw operation === 'Unknown'
			? new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
					fields: {Method: request.method ?? ''},
				})
			: new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented', {
					fields: {Operation: operation},
				});
	}

	const call: Call = {
		operation,
		target,
		signature,
		storage,
		request,
		response,
		isContinueExpected,
		faults,
		nowMs,
		held,
	};
	return action(call);
};

/** Whether a fault leaves the client without an answer at this moment. */
const isSilenced = async (
	{latencyMs, drop, stall}: FaultPlan,
	moment: 'before' | 'after',
	{request}: Exchange,
	closing: AbortSignal,
): Promise<boolean> => {
	if (moment === 'before' && latencyMs > 0) {
		await sleep(latencyMs, undefined, {signal: closing}).catch(() => undefined); // Only closing ends it early.
	}

	if (drop === moment) {
		request.socket.destroy();
		return true;
	}

	return stall === moment || closing.aborted;
};
