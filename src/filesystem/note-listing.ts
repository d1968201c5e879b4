import type {KnownEntry, MetadataCache, ReadToken} from '../cache/metadata-cache.ts';
import {compareKeys, isEntryName} from '../model/object-key.ts';
import type {ListPage} from '../store/object-store.ts';
import type {ListedName} from './attribute-walk.ts';
import {readFlatListing} from './flat-listing.ts';

/**
What one page of the entries of a directory says, into the cache. Gives its names in the order of their keys; those that
this node changed since the request was sent are left out.
*/
export const noteListing = (
	cache: MetadataCache,
	directory: string,
	page: ListPage,
	token: ReadToken,
): readonly ListedName[] => {
	const prefix = directory === '' ? '' : `${directory}/`;
	const listed: Array<ListedName & {key: string}> = [];
	const note = (path: string, key: string, entry: KnownEntry): void => {
		if (isEntryName(path.slice(prefix.length)) && cache.changeSince(path, token) === undefined) {
			noteEntry(cache, path, entry, token);
			listed.push({path, key, isDirectory: entry.state === 'directory'});
		}
	};

	for (const object of page.objects) {
		note(object.key, object.key, {state: 'listed', object});
	}

	for (const name of page.prefixes) {
		note(name.slice(0, -1), name, {state: 'directory', marker: 'unknown'});
	}

	return listed.sort((a, b) => compareKeys(a.key, b.key));
};

/** The same of the first page of everything below a directory. */
export const noteFlatListing = (
	cache: MetadataCache,
	directory: string,
	page: ListPage,
	{token, beganAtMs}: {token: ReadToken; beganAtMs: number},
): void => {
	const {directories, files} = readFlatListing(directory, page);
	for (const [path, {hasMarker, names, isComplete}] of directories) {
		if (path !== directory) {
			noteEntry(cache, path, {state: 'directory', marker: hasMarker ? 'unknown' : undefined}, token);
		}

		if (isComplete) {
			cache.recordListing(path, names, {token, beganAtMs});
		}
	}

	for (const object of files) {
		noteEntry(cache, object.key, {state: 'listed', object}, token);
	}
};

/** A listing knows no attributes: where they are known, they stay. */
const noteEntry = (cache: MetadataCache, path: string, entry: KnownEntry, token: ReadToken): void => {
	const known = cache.get(path);
	const isKnown = entry.state === 'directory' ? known?.state === 'directory' : known?.state === 'object';
	if (!isKnown) {
		cache.record(path, entry, token);
	}
};
