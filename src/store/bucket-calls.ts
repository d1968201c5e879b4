import type {S3Client} from '@aws-sdk/client-s3';
import {StoreError} from '../model/store-error.ts';
import {toAbortedError} from './abort.ts';
import {toRefusalError, toSdkRefusal, type S3Context} from './s3-errors.ts';
import {isFinalNetworkError, toNetworkError} from './s3-network-errors.ts';
import {withRetries, type AttemptOutcome} from './s3-retries.ts';
import {createSdkClient, type S3Place} from './s3-sdk-client.ts';

export type BucketCall<Output> = {
	/** As S3 calls it: `CreateBucket`. */
	readonly operation: string;
	/** As people say it: `create bucket "x"`. */
	readonly action: string;
	readonly send: (client: S3Client, options: {abortSignal: AbortSignal}) => Promise<Output>;
};

/** One call may be tried this long; all calls of one provisioning share the deadline of `BucketCalls`. */
const attemptMsMax = 5000;

/**
Calls on a bucket itself, through the SDK: tried again while they fail for now, in `StoreError`s, by a common
deadline.
*/
export class BucketCalls {
	readonly bucket: string;
	readonly region: string;
	/** Whether Amazon itself answers, where every call is known. */
	readonly isAws: boolean;
	readonly #client: S3Client;
	readonly #place: string;
	readonly #endsAtMs: number;
	readonly #signal: AbortSignal | undefined;

	constructor(
		options: S3Place & {readonly bucket: string},
		{deadlineMs, signal}: {deadlineMs: number; signal?: AbortSignal | undefined},
	) {
		const {bucket, region, endpoint = ''} = options;
		this.bucket = bucket;
		this.region = region;
		this.isAws = endpoint === '';
		this.#client = createSdkClient(options);
		this.#place = endpoint === '' ? `region ${region}` : `${endpoint} (region ${region})`;
		this.#endsAtMs = performance.now() + deadlineMs;
		this.#signal = signal;
	}

	/** The answer, or a `StoreError`. Transient failures were tried again. */
	async call<Output>({operation, action, send}: BucketCall<Output>): Promise<Output> {
		const context = {operation, action, bucket: this.bucket, place: this.#place};
		return withRetries(async ({leftMs}) => this.#attempt(context, send, Math.min(leftMs, attemptMsMax)), {
			action,
			signal: this.#signal,
			attemptCountMax: 8,
			deadlineMs: Math.max(1, this.#endsAtMs - performance.now()),
		});
	}

	close(): void {
		this.#client.destroy();
	}

	async #attempt<Output>(
		context: S3Context,
		send: BucketCall<Output>['send'],
		limitMs: number,
	): Promise<AttemptOutcome<Output>> {
		const timeout = AbortSignal.timeout(Math.ceil(limitMs));
		const abortSignal = this.#signal === undefined ? timeout : AbortSignal.any([timeout, this.#signal]);
		try {
			// The credentials may come from a server that does not answer, and know no signal: the race ends that wait.
			return {
				status: 'done',
				result: await Promise.race([send(this.#client, {abortSignal}), rejectWhenAborted(abortSignal)]),
			};
		} catch (error) {
			const failure =
				this.#signal?.aborted === true
					? toAbortedError(context.action, this.#signal)
					: toBucketError(context, error, {isTimeout: timeout.aborted, limitMs});
			return {
				status: 'failed',
				error: failure,
				isRetriable: failure.isTransient && !isFinalNetworkError(error),
				isAmbiguous: true,
				isPauseNeeded: true,
			};
		}
	}
}

const rejectWhenAborted = (signal: AbortSignal): Promise<never> =>
	new Promise((_resolve, reject) => {
		signal.addEventListener(
			'abort',
			() => {
				reject(new Error('aborted', {cause: signal.reason}));
			},
			{once: true},
		);
	});

const toBucketError = (
	context: S3Context,
	error: unknown,
	{isTimeout, limitMs}: {isTimeout: boolean; limitMs: number},
): StoreError => {
	if (isTimeout) {
		return new StoreError(
			'timeout',
			`Cannot ${context.action} at ${context.place}: no answer within ${Math.round(limitMs)} ms; check the option "endpoint" and the network`,
			{cause: error},
		);
	}

	const refusal = toSdkRefusal(error);
	return refusal === undefined ? toNetworkError(context, error) : toRefusalError(context, refusal);
};
