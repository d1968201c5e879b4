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

/** What becomes known of a request while it is handled. */
type Course = {
	readonly requestId: string;
	/** What the answer reads from; kept on disk until it is sent. */
	readonly held: Segment[];
	faults: FaultPlan;
	entry: LoggedRequest | undefined;
};

/** Answers one request of the S3 API: signature, bucket, action, answer, with the faults that are set in between. */
export const handleRequest = async (parts: ServerParts, exchange: Exchange): Promise<void> => {
	const {response, isContinueExpected} = exchange;
	const {blobs} = parts.storage;
	const requestId = nextRequestId();
	const course: Course = {
		requestId,
		held: [],
		faults: {latencyMs: 0, ignoresConditions: false, isCorrupted: false},
		entry: undefined,
	};
	const startMs = performance.now();
	try {
		const answer = await findAnswer(parts, exchange, course);
		if (answer === undefined || (await isSilenced(course.faults, 'after', exchange, parts.closing))) {
			return;
		}

		if (isContinueExpected && answer.status >= 300) {
			// Whether the client still sends the body is its choice: what follows on the connection is unknown.
			response.setHeader('connection', 'close');
		}

		if (course.entry !== undefined) {
			parts.requests.answer(course.entry, answer.status);
		}

		await sendAnswer({response, answer, requestId, faults: course.faults, blobs});
	} finally {
		blobs.release(course.held);
		if (course.entry !== undefined) {
			course.entry.durationMs = performance.now() - startMs;
			parts.log(formatEntry(course.entry, course.entry.durationMs));
		}
	}
};

const formatEntry = ({status, operation, bucket, key, code}: LoggedRequest, durationMs: number): string =>
	`${status} ${operation} ${bucket}/${key} ${durationMs.toFixed(1)} ms${code === undefined ? '' : ` ${code}`}`;

// Unique is enough: fresh random bytes would cost more than the rest of a small answer.
const requestIdPrefix = randomBytes(5).toString('hex').toUpperCase();
let requestCount = 0;
const nextRequestId = (): string => requestIdPrefix + (requestCount++).toString(16).toUpperCase().padStart(6, '0');

/** The answer, also of a request that fails; `undefined` for a client that is gone or must not get one. */
const findAnswer = async (parts: ServerParts, exchange: Exchange, course: Course): Promise<Answer | undefined> => {
	const {method = 'GET', url = '/'} = exchange.request;
	const place = {resource: url.split('?', 1)[0]!, requestId: course.requestId};
	try {
		const {target, operation, entry} = noteRequest(parts, exchange);
		course.entry = entry;
		const faults = planFaults(parts.faults, {operation, key: target.key}, parts.random);
		course.faults = faults;
		if (await isSilenced(faults, 'before', exchange, parts.closing)) {
			return undefined;
		}

		await waitWhileHeld(faults, parts);
		if (faults.error === undefined) {
			return await act(parts, exchange, {target, operation, faults, held: course.held});
		}

		entry.code = faults.error.code;
		return faultAnswer(faults.error, place);
	} catch (error) {
		if (error instanceof ClientGoneError) {
			return undefined;
		}

		if (course.entry !== undefined) {
			course.entry.code = error instanceof S3Error ? error.code : 'InternalError';
		}

		if (!(error instanceof S3Error)) {
			parts.log(`${method} ${url} failed: ${stackOf(error)}`);
		}

		return errorAnswer(error, place);
	}
};

/** Reads what is asked for, and puts it into the log of requests. */
const noteRequest = (
	{requests}: ServerParts,
	{request: {method = 'GET', url = '/', headers}}: Exchange,
): Pick<Routed, 'target' | 'operation'> & {readonly entry: LoggedRequest} => {
	const target = parseRequestTarget(url, headers.host ?? '');
	const operation = operationOf(method, target, headers) ?? 'Unknown';
	const {bucket, key} = target;
	const entry = requests.add({operation, bucket, key, atMs: Date.now(), range: headers.range});
	return {target, operation, entry};
};

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

const waitWhileHeld = async ({hold}: FaultPlan, {faults, closing}: ServerParts): Promise<void> => {
	while (hold !== undefined && faults.holds.includes(hold) && !closing.aborted) {
		await sleep(5);
	}
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
