import assert from 'node:assert/strict';
import {keyBytesMax} from '../model/object-key.ts';
import {StoreError} from '../model/store-error.ts';
import type {ByteRange, CopyRequest, CopySource} from './object-store.ts';

/**
Refuses a key that no S3 server can hold before anything is sent. An empty one would name the bucket itself: a bug.
*/
export const assertKeyLength = (key: string): void => {
	assert(key !== '', 'A key must not be empty');
	// A UTF-16 unit takes at most three bytes of UTF-8.
	if (key.length > keyBytesMax / 3 && Buffer.byteLength(key) > keyBytesMax) {
		throw new StoreError(
			'keyTooLong',
			`Cannot use key "${key.slice(0, 60)}...": it has ${Buffer.byteLength(key)} bytes, and S3 takes ${keyBytesMax}`,
		);
	}
};

export const assertRange = (key: string, {start, end}: ByteRange): void => {
	assert(
		Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end > start,
		`A range must not be empty: "${key}" from ${start} to ${end}`,
	);
};

/** S3 refuses to copy an object onto itself unless something changes. */
export const assertCopy = (source: CopySource, key: string, {replace}: CopyRequest): void => {
	assert(
		source.key !== key || source.versionId !== undefined || replace !== undefined,
		`A copy of "${key}" onto itself must replace its metadata`,
	);
};
