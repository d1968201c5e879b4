import {setTimeout as delay} from 'node:timers/promises';
import {StoreError} from '../model/store-error.ts';
import {toAbortedError} from './abort.ts';

/** How one attempt of a call ended. Failures are values here, as most of them are tried again. */
export type AttemptOutcome<Result> =
	| {readonly status: 'done'; readonly result: Result}
	| {
			readonly status: 'failed';
			readonly error: StoreError;
			readonly isRetriable: boolean;
			/** The server may have carried the request out although there was no answer that says so. */
			readonly isAmbiguous: boolean;
			/** False when the connection was just stale: a fresh one may be tried at once. */
			readonly isPauseNeeded: boolean;
	  };

export type RetryLimits<Result> = {
	readonly action: string;
	/** From the first attempt to the last answer. */
	readonly deadlineMs: number;
	readonly attemptCountMax: number;
	/**
	After this time no attempt begins any more, but for the first five: a large body may take longer on its way than a
	server may be away. Default: `deadlineMs`.
	*/
	readonly patienceMs?: number | undefined;
	readonly signal?: AbortSignal | undefined;
	/**
	Asked when the server refuses an attempt after one that may have been carried out: the result when our own earlier
	attempt is in place, `undefined` when the refusal stands.
	*/
	readonly confirm?: (() => Promise<Result | undefined>) | undefined;
	/**
	Asked before each further attempt after one that may have been carried out, when it would do harm to carry it out
	twice; throttling says that it was not. The result when there is nothing left to do, `undefined` to try again.
	*/
	readonly beforeRetry?: ((leftMs: number) => Promise<Result | undefined>) | undefined;
};

/** Attempts that the deadline alone limits. */
const impatientAttemptCount = 5;

const pauseBaseMs = 50;
const pauseMaxMs = 5000;

/**
Tries until it is done, refused, aborted, out of attempts or out of time; pauses grow and are random over their
whole length ("full jitter").
*/
export const withRetries = async <Result>(
	attempt: (context: {readonly attemptCount: number; readonly leftMs: number}) => Promise<AttemptOutcome<Result>>,
	{action, deadlineMs, attemptCountMax, patienceMs = deadlineMs, signal, confirm, beforeRetry}: RetryLimits<Result>,
): Promise<Result> => {
	const startMs = performance.now();
	const toLeftMs = () => deadlineMs - (performance.now() - startMs);
	const isPatient = (attemptCount: number, pauseMs: number) =>
		attemptCount < impatientAttemptCount || performance.now() - startMs + pauseMs < patienceMs;
	let wasAmbiguous = false;
	let mayBeDone = false;
	for (let attemptCount = 1; ; attemptCount++) {
		const outcome = await attempt({attemptCount, leftMs: Math.max(1, toLeftMs())});
		if (outcome.status === 'done') {
			return outcome.result;
		}

		if (!outcome.isRetriable) {
			const confirmed = wasAmbiguous && signal?.aborted !== true ? await confirm?.() : undefined;
			if (confirmed !== undefined) {
				return confirmed;
			}

			throw outcome.error;
		}

		wasAmbiguous ||= outcome.isAmbiguous;
		mayBeDone ||= outcome.isAmbiguous && outcome.error.code !== 'throttled';
		const pauseMs = outcome.isPauseNeeded ? Math.random() * Math.min(pauseMaxMs, pauseBaseMs * 2 ** attemptCount) : 0;
		if (attemptCount >= attemptCountMax || pauseMs >= toLeftMs() || !isPatient(attemptCount, pauseMs)) {
			throw withCount(outcome.error, attemptCount, performance.now() - startMs);
		}

		if (pauseMs > 0) {
			await pause(pauseMs, action, signal);
		}

		const done = mayBeDone ? await beforeRetry?.(Math.max(1, toLeftMs())) : undefined;
		if (done !== undefined) {
			return done;
		}
	}
};

const pause = async (pauseMs: number, action: string, signal: AbortSignal | undefined): Promise<void> => {
	try {
		await delay(pauseMs, undefined, {signal});
	} catch (error) {
		throw signal?.aborted === true ? toAbortedError(action, signal) : error;
	}
};

const withCount = (error: StoreError, attemptCount: number, durationMs: number): StoreError =>
	new StoreError(
		error.code,
		`${error.message}; gave up after ${attemptCount} ${attemptCount === 1 ? 'attempt' : 'attempts'} in ${(durationMs / 1000).toFixed(1)} s`,
		{
			cause: error.cause ?? error,
			...(error.status === undefined ? {} : {status: error.status}),
			...(error.s3Code === undefined ? {} : {s3Code: error.s3Code}),
			...(error.region === undefined ? {} : {region: error.region}),
		},
	);
