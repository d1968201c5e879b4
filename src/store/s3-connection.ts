import type {IncomingHttpHeaders, IncomingMessage} from 'node:http';
import type {S3Client} from '@aws-sdk/client-s3';
import {StoreError} from '../model/store-error.ts';
import {throwIfAborted} from './abort.ts';
import {CallLimits, type LimitedCall} from './call-limits.ts';
import {CircuitBreaker} from './circuit-breaker.ts';
import {readText} from './s3-body.ts';
import {guardedLookup} from './guarded-lookup.ts';
import {parseRefusal, toRefusalError, type S3Context, type S3Refusal} from './s3-errors.ts';
import {toFailedAttempt} from './s3-failed-attempt.ts';
import {HttpTransport} from './s3-http.ts';
import {withRetries, type AttemptOutcome} from './s3-retries.ts';
import {createSdkClient, type S3Place} from './s3-sdk-client.ts';
import {encodeKey, S3Signer, toQueryString, toSigningRegion} from './s3-signer.ts';
import {withinLimits} from './within-limits.ts';

export type S3RequestEvent = {
	/** As S3 calls it: `GetObject`. */
	readonly operation: string;
	/** 0 when no answer came. */
	readonly status: number;
	/** To the end of the answer's head. */
	readonly durationMs: number;
	/** From 1. */
	readonly attempt: number;
	/** Of the body of the request. */
	readonly sentBytes: number;
	/** Of the body of the answer, as announced. */
	readonly receivedBytes: number;
	/** Whether S3 asked for fewer requests. */
	readonly isThrottled: boolean;
};

export type S3ConnectionOptions = S3Place & {
	readonly bucket: string;
	/** How long one call keeps trying. Default: 30 s. */
	readonly timeoutMs?: number | undefined;
	/** Default: 20, which is more than the time allows, as pauses grow to 5 s. */
	readonly attemptCountMax?: number | undefined;
	/** How many connections at once; further requests wait. Default: 128, of which uploads take half. */
	readonly connectionCountMax?: number | undefined;
	/** Called after every attempt. */
	readonly onRequest?: ((event: S3RequestEvent) => void) | undefined;
	/** The clock of the signatures. Default: the system's. */
	readonly nowMs?: (() => number) | undefined;
};

export type S3Request = LimitedCall & {
	readonly operation: string;
	/** As people say it: `write "a/b"`. */
	readonly action: string;
	readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
	/** With the volume's prefix; absent for calls on the bucket. */
	readonly key?: string;
	readonly query?: Readonly<Record<string, string | undefined>>;
	readonly headers?: Readonly<Record<string, string | undefined>>;
	readonly body?: readonly Uint8Array[];
	/** `stream`: 2xx answers are not read. Default: they are read as text. */
	readonly answerBody?: 'stream' | 'text';
	/** Whether a 409 of two writes at once is worth another attempt. */
	readonly isConflictRetriable?: boolean;
	readonly confirm?: () => Promise<S3Answer | undefined>;
	/** As that of `RetryLimits`. */
	readonly beforeRetry?: ((leftMs: number) => Promise<S3Answer | undefined>) | undefined;
	readonly signal?: AbortSignal | undefined;
};

export type S3Answer = {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** Empty unless read as text. */
	readonly text: string;
	/** Set when asked for as a stream. */
	readonly stream?: IncomingMessage;
};

const attemptCountMaxDefault = 20;
const connectMsMax = 5000;
const probeMsMax = 1000;

/**
Requests to one bucket, without the SDK's cost per request (about 1 ms of CPU), by its rules for addresses and
credentials. Each call is tried several times; what comes back is a 2xx answer or a `StoreError`.
*/
export class S3Connection {
	readonly #options: S3ConnectionOptions;
	readonly #timeoutMs: number;
	readonly #limits: CallLimits;
	readonly #client: S3Client;
	readonly #transport: HttpTransport;
	readonly #signer: S3Signer;
	readonly #host: string;
	readonly #basePath: string;
	readonly #place: string;
	readonly #breaker: CircuitBreaker;
	#isClosed = false;

	constructor(options: S3ConnectionOptions) {
		const {
			bucket,
			region,
			endpoint = '',
			pathStyle = false,
			connectionCountMax = 128,
			timeoutMs = 30_000,
			nowMs,
		} = options;
		this.#options = options;
		this.#timeoutMs = timeoutMs;
		this.#limits = new CallLimits(timeoutMs);
		this.#client = createSdkClient(options);
		const {url, properties} = this.#client.config.endpointProvider({
			Bucket: bucket,
			Region: region,
			ForcePathStyle: pathStyle,
			...(endpoint === '' ? {} : {Endpoint: endpoint}),
		});
		this.#transport = new HttpTransport(url, {
			connectionCountMax,
			lookup: options.isLocalRefused === true ? guardedLookup : undefined,
		});
		this.#signer = new S3Signer({
			region: toSigningRegion(properties) ?? region,
			...(nowMs === undefined ? {} : {nowMs}),
		});
		this.#host = url.host;
		this.#basePath = url.pathname.replace(/\/$/, '');
		this.#breaker = new CircuitBreaker({probe: async () => this.#probe()});
		this.#place = endpoint === '' ? `region ${region}` : `${url.origin} (region ${region})`;
	}

	/** How long there may be no byte from the server. */
	get silenceMs(): number {
		return this.#limits.silenceMs();
	}

	async send(request: S3Request): Promise<S3Answer> {
		if (this.#isClosed) {
			throw new StoreError('invalidRequest', `Cannot ${request.action}: the store is closed`);
		}

		throwIfAborted(request.action, request.signal);
		const bodyBytes = countBytes(request.body);
		const path = this.#basePath + (request.key === undefined ? '/' : `/${encodeKey(request.key)}`);
		const query = toQueryString(request.query ?? {});
		const headers = withoutAbsent(request.headers);
		if (request.body !== undefined) {
			headers['content-length'] = String(bodyBytes);
		}

		return this.#breaker.guard(request, async () =>
			withRetries(
				({attemptCount, leftMs}) => this.#attempt(request, {path, query, headers, bodyBytes, attemptCount, leftMs}),
				{
					action: request.action,
					deadlineMs: this.#limits.deadlineMs(request, bodyBytes),
					signal: request.signal,
					confirm: request.confirm,
					beforeRetry: request.beforeRetry,
					attemptCountMax: this.#options.attemptCountMax ?? attemptCountMaxDefault,
					patienceMs: this.#timeoutMs,
				},
			),
		);
	}

	/** What calls on the bucket and its objects say in their errors. */
	toContext({operation, action}: {operation: string; action: string}): S3Context {
		return {
			operation,
			action: `${action} in bucket "${this.#options.bucket}"`,
			bucket: this.#options.bucket,
			place: this.#place,
		};
	}

	close(): void {
		this.#isClosed = true;
		this.#breaker.close();
		this.#transport.close();
		this.#client.destroy();
	}

	async #attempt(request: S3Request, prepared: PreparedRequest): Promise<AttemptOutcome<S3Answer>> {
		const startMs = performance.now();
		let status = 0;
		let receivedBytes = 0;
		let isThrottled = false;
		try {
			const answer = await this.#exchange(request, prepared);
			status = answer.statusCode ?? 0;
			receivedBytes = request.method === 'HEAD' ? 0 : Number(answer.headers['content-length'] ?? 0);
			const outcome = await this.#judge(request, answer);
			isThrottled = outcome.status === 'failed' && outcome.error.code === 'throttled';
			return outcome;
		} catch (error) {
			return toFailedAttempt(this.toContext(request), error, {action: request.action, signal: request.signal});
		} finally {
			this.#options.onRequest?.({
				operation: request.operation,
				status,
				durationMs: performance.now() - startMs,
				attempt: prepared.attemptCount,
				sentBytes: prepared.bodyBytes,
				receivedBytes,
				isThrottled,
			});
		}
	}

	async #exchange(request: S3Request, {path, query, headers, leftMs}: PreparedRequest): Promise<IncomingMessage> {
		const {method, body, signal} = request;
		const credentials =
			this.#options.credentials ?? (await withinLimits(this.#client.config.credentials(), {limitMs: leftMs, signal}));
		const signed = this.#signer.sign(
			{method, host: this.#host, path, query, headers, hasBody: body !== undefined},
			credentials,
		);
		const answer = await this.#transport.send(
			{method, path: query === '' ? path : `${path}?${query}`, headers: signed, body: body ?? []},
			{
				totalMs: leftMs,
				connectMs: connectMsMax,
				silenceMs: Math.min(leftMs, this.#limits.silenceMs(request)),
				signal,
			},
		);
		this.#breaker.noteAnswer();
		return answer;
	}

	/** One short request that any answer ends well: the breaker notes it. */
	async #probe(): Promise<void> {
		await this.#attempt(
			{operation: 'HeadBucket', action: 'find S3', method: 'HEAD'},
			{
				path: `${this.#basePath}/`,
				query: '',
				headers: {},
				bodyBytes: 0,
				attemptCount: 1,
				leftMs: Math.min(probeMsMax, this.#timeoutMs / 2),
			},
		);
	}

	/** Reads the answer as far as it says how the call ended. */
	async #judge(request: S3Request, answer: IncomingMessage): Promise<AttemptOutcome<S3Answer>> {
		const status = answer.statusCode ?? 0;
		const {headers} = answer;
		const isSuccess = status >= 200 && status < 300;
		if (isSuccess && hasNoBody(request, headers)) {
			// Nothing comes any more that could matter: not even that the connection breaks.
			answer.on('error', () => undefined).resume();
			return {status: 'done', result: {status, headers, text: ''}};
		}

		if (isSuccess && request.answerBody === 'stream') {
			return {status: 'done', result: {status, headers, text: '', stream: answer}};
		}

		const text = await readText(answer, {
			action: request.action,
			expectedBytes: undefined,
			silenceMs: this.silenceMs,
			signal: request.signal,
		});
		// CopyObject and CompleteMultipartUpload answer 200 at once, and may fail in the body.
		const isHiddenFailure = isSuccess && request.isLongRunning === true && /^\s*(?:<\?[^>]*>\s*)?<Error>/.test(text);
		if (isSuccess && !isHiddenFailure) {
			return {status: 'done', result: {status, headers, text}};
		}

		const refusal = parseRefusal(isHiddenFailure ? 500 : status, headers, text);
		const error = toRefusalError(this.toContext(request), refusal);
		return {
			status: 'failed',
			error,
			isRetriable: isRetriable(request, error, refusal),
			isAmbiguous: refusal.status >= 500,
			isPauseNeeded: true,
		};
	}
}

type PreparedRequest = {
	readonly path: string;
	readonly query: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly bodyBytes: number;
	readonly attemptCount: number;
	readonly leftMs: number;
};

const isRetriable = (request: S3Request, error: StoreError, {s3Code}: S3Refusal): boolean =>
	error.isTransient ||
	s3Code === 'BadDigest' || // Damaged on the way: the same bytes may arrive whole.
	(s3Code === 'ConditionalRequestConflict' && request.isConflictRetriable === true);

const hasNoBody = ({method, answerBody}: S3Request, headers: IncomingHttpHeaders): boolean =>
	method === 'HEAD' || (answerBody !== 'stream' && headers['content-length'] === '0');

const withoutAbsent = (headers: Readonly<Record<string, string | undefined>> = {}): Record<string, string> => {
	const present: Record<string, string> = {};
	for (const [name, value] of Object.entries(headers)) {
		if (value !== undefined) {
			present[name] = value;
		}
	}

	return present;
};

const countBytes = (body: readonly Uint8Array[] = []): number => {
	let bytes = 0;
	for (const part of body) {
		bytes += part.length;
	}

	return bytes;
};
