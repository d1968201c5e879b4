import assert from 'node:assert/strict';
import {StoreError} from '../model/store-error.ts';
import type {Metadata} from './object-store.ts';

/** The most bytes of keys and values together (Amazon S3 User Guide, "User-defined object metadata"). */
export const metadataBytesMax = 2048;

/**
Metadata travels in HTTP headers. Keys in upper case would come back in lower case, and values that are not printable
ASCII would come back encoded, differently by each server: both are bugs of the caller. Too much of it is not. (Ceph RGW
also takes an underscore in a key for a dash.)
*/
export const assertMetadata = (metadata: Metadata = {}): void => {
	let bytes = 0;
	for (const [key, value] of Object.entries(metadata)) {
		assert(
			isMetadataEntry(key, value),
			`Metadata must be a lower-case HTTP token and printable ASCII without outer blanks: current key is ${JSON.stringify(key)}, value ${JSON.stringify(value)}`,
		);
		bytes += key.length + value.length;
	}

	if (bytes > metadataBytesMax) {
		throw new StoreError(
			'invalidRequest',
			`Cannot store metadata of ${bytes} bytes: S3 takes up to ${metadataBytesMax}`,
		);
	}
};

/** Whether an entry comes back as it is sent. */
export const isMetadataEntry = (key: string, value: string): boolean =>
	/^[!#$%&'*+.^_`|~a-z\d-]+$/.test(key) && /^(?:[\u0021-\u007E](?:[\u0020-\u007E]*[\u0021-\u007E])?)?$/.test(value);
