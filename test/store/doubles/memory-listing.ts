import assert from 'node:assert/strict';
import {compareKeys} from '../../../src/model/object-key.ts';
import type {ListedObject, ListPage, ListRequest} from '../../../src/store/object-store.ts';
import type {MemoryVersions} from './memory-versions.ts';

/** The highest character: sorts after everything that a key with this prefix may go on with. */
const afterEverything = '\u{10FFFF}';

/**
One page of a listing, as ListObjectsV2 makes it: a common prefix counts as one entry, at the place of its first
key.
*/
export const listVersions = (
	versions: MemoryVersions,
	{prefix, delimiter, startAfter, continuationToken, countMax = 1000}: ListRequest,
): ListPage => {
	assert(countMax >= 1 && countMax <= 1000, `A page has 1 to 1000 entries: current value is ${countMax}`);
	const objects: ListedObject[] = [];
	const prefixes: string[] = [];
	// A token is the last entry of its page: a key, or a common prefix, all of whose keys are to be skipped.
	const last = continuationToken === undefined ? startAfter : decodeToken(continuationToken);
	const skipped =
		continuationToken !== undefined && last !== undefined && isCommonPrefix(last, prefix, delimiter) ? last : undefined;
	let newest = last ?? '';
	for (const key of versions.keysFrom(toStart({prefix, last, skipped}))) {
		if (!key.startsWith(prefix)) {
			break;
		}

		const common = delimiter === undefined ? undefined : toCommonPrefix(key, prefix, delimiter);
		if (common !== undefined && common === prefixes.at(-1)) {
			continue;
		}

		if (objects.length + prefixes.length === countMax) {
			return {objects, prefixes, continuationToken: encodeToken(newest)};
		}

		if (common === undefined) {
			const {head} = versions.find(key)!; // keysFrom() yields only keys that have a newest version.
			objects.push({key, etag: head.etag, sizeBytes: head.sizeBytes, lastModifiedMs: head.lastModifiedMs});
		} else {
			prefixes.push(common);
		}

		newest = common ?? key;
	}

	return {objects, prefixes};
};

const toStart = ({
	prefix,
	last,
	skipped,
}: {
	prefix: string;
	last: string | undefined;
	skipped: string | undefined;
}): {key: string; isAfter: boolean} => {
	if (last === undefined || compareKeys(last, prefix) < 0) {
		return {key: prefix, isAfter: false};
	}

	return {key: skipped === undefined ? last : skipped + afterEverything, isAfter: true};
};

const toCommonPrefix = (key: string, prefix: string, delimiter: string): string | undefined => {
	const end = key.indexOf(delimiter, prefix.length);
	return end === -1 ? undefined : key.slice(0, end + delimiter.length);
};

const isCommonPrefix = (entry: string, prefix: string, delimiter: string | undefined): boolean =>
	delimiter !== undefined && toCommonPrefix(entry, prefix, delimiter) === entry;

const encodeToken = (entry: string): string => Buffer.from(entry).toString('base64url');

const decodeToken = (token: string): string => Buffer.from(token, 'base64url').toString();
