import {StoreError} from '../model/store-error.ts';

/** The error of a call whose caller's signal ended it; `action` is what was being done, such as `read "a/b"`. */
export const toAbortedError = (action: string, signal: AbortSignal): StoreError =>
	new StoreError('aborted', `Cannot ${action}: the caller stopped the request`, {cause: signal.reason});

/** Throws when the caller's signal has ended the call already. */
export const throwIfAborted = (action: string, signal: AbortSignal | undefined): void => {
	if (signal?.aborted === true) {
		throw toAbortedError(action, signal);
	}
};
