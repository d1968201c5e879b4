import {compareKeys} from '../model/object-key.ts';
import {S3Error} from './s3-error.ts';
import type {KeyIndex} from './storage/key-index.ts';
import {encodeUri} from './request-target.ts';

/** Where a listing begins: behind a key, behind all keys with a prefix, or at the first. */
export type ListStart = {readonly after?: string | undefined; readonly pastPrefix?: string | undefined};

export type Listing = {
	/** In order: keys, and the prefixes that stand for many. */
	readonly entries: ReadonlyArray<{readonly key: string; readonly isPrefix: boolean}>;
	readonly isTruncated: boolean;
};

/**
One page of a listing. Keys below a common prefix are jumped over, so a page costs what it shows, not what it hides.
*/
export const listKeys = (
	index: KeyIndex,
	request: {prefix: string; delimiter: string; start: ListStart; countMax: number},
): Listing => {
	const {
		prefix,
		delimiter,
		start: {after, pastPrefix},
		countMax,
	} = request;
	// A start before the prefix is no start at all.
	const begin = after === undefined || compareKeys(after, prefix) < 0 ? prefix : after;
	let cursor = pastPrefix === undefined ? index.seek(begin) : index.seekPast(pastPrefix);
	if (pastPrefix === undefined && after !== undefined && cursor.key === after) {
		cursor.next();
	}

	const entries: Array<{key: string; isPrefix: boolean}> = [];
	for (;;) {
		const {key} = cursor;
		if (key === undefined || !key.startsWith(prefix)) {
			return {entries, isTruncated: false};
		}

		if (entries.length >= countMax) {
			return {entries, isTruncated: countMax > 0};
		}

		const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
		if (end === -1) {
			entries.push({key, isPrefix: false});
			cursor.next();
		} else {
			const common = key.slice(0, end + delimiter.length);
			entries.push({key: common, isPrefix: true});
			cursor = index.seekPast(common);
		}
	}
};

/** `max-keys` and its kin: 0 to 1000. */
export const parseCountMax = (text: string | undefined, name: string): number => {
	if (text === undefined || text === '') {
		return 1000;
	}

	const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
	if (!(count <= 2_147_483_647)) {
		throw new S3Error('InvalidArgument', `Argument ${name} must be an integer between 0 and 2147483647`, {
			fields: {ArgumentName: name, ArgumentValue: text},
		});
	}

	return Math.min(count, 1000);
};

export type EncodeKey = (key: string) => string;

/** How keys are written in the answer: `encoding-type=url` escapes them. */
export const parseKeyEncoding = (text: string | undefined): EncodeKey => {
	if (text === undefined || text === '') {
		return key => key;
	}

	if (text !== 'url') {
		throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', {
			fields: {ArgumentName: 'encoding-type', ArgumentValue: text},
		});
	}

	return key => encodeUri(key).replaceAll('%2F', '/');
};
