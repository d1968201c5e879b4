import {StoreError} from '../model/store-error.ts';
import {toAbortedError} from './abort.ts';
import {toRefusalError, type S3Context} from './s3-errors.ts';
import {HttpFailure} from './s3-http.ts';
import {isFinalNetworkError, toNetworkError} from './s3-network-errors.ts';
import type {AttemptOutcome} from './s3-retries.ts';

/** What became of an attempt that ended without a whole answer, and whether another one is worth it. */
export const toFailedAttempt = (
	context: S3Context,
	error: unknown,
	{action, signal}: {action: string; signal: AbortSignal | undefined},
): AttemptOutcome<never> => {
	if (signal?.aborted === true) {
		return {
			status: 'failed',
			error: toAbortedError(action, signal),
			isRetriable: false,
			isAmbiguous: true,
			isPauseNeeded: false,
		};
	}

	if (error instanceof HttpFailure) {
		return {
			status: 'failed',
			error: toNetworkError(context, error),
			isRetriable: !isFinalNetworkError(error),
			isAmbiguous: error.wasSent,
			isPauseNeeded: !error.isStaleConnection,
		};
	}

	if (error instanceof StoreError) {
		// The answer broke off while it was read.
		return {status: 'failed', error, isRetriable: error.isTransient, isAmbiguous: true, isPauseNeeded: true};
	}

	if (error instanceof Error && /Credentials|Token|SSO/.test(error.name)) {
		const refusal = {status: 0, s3Code: 'CredentialsProviderError', cause: error};
		return {
			status: 'failed',
			error: toRefusalError(context, refusal),
			isRetriable: false,
			isAmbiguous: false,
			isPauseNeeded: true,
		};
	}

	throw error;
};
