import {randomBytes} from 'node:crypto';
import type {StoredBucket} from './storage/stored-bucket.ts';

/**
The id of the next version of a key: its own when versioning is on, else the one that replaces what was written
without.
*/
export const newVersionId = (bucket: StoredBucket): string =>
	bucket.versioning === 'Enabled' ? randomBytes(24).toString('base64url') : 'null';

/** S3 keeps times in whole seconds. */
export const toWholeSecondsMs = (nowMs: number): number => Math.floor(nowMs / 1000) * 1000;

export const newUploadId = (): string => randomBytes(48).toString('base64url');
