import {AssertionError} from 'node:assert';
import {isStoreError} from '../model/store-error.ts';
import {isDamageError} from './staging-error.ts';

/** Whether another try of an upload that failed like this does not help. */
export const isFinal = (error: Error): boolean =>
	isBug(error) ||
	isDamageError(error) ||
	(isStoreError(error) && !error.isTransient && !isStoreError(error, 'aborted', ...curableCodes));

/**
What met a bug of ours never reaches S3: an error for its writer, and kept on disk, is better than wrong bytes in
the bucket.
*/
const isBug = (error: Error): boolean =>
	error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError;

/**
Failures that an operator can cure while we try on: credentials that are renewed, clocks, a disk that is made free.
*/
const curableCodes = ['badCredentials', 'clockSkew', 'noSpace', 'corrupt'] as const;
