import type {KnownEntry, MetadataCache, ReadToken} from '../cache/metadata-cache.ts';
import {compareKeys, isEntryName} from '../model/object-key.ts';
import type {ListPage} from '../store/object-store.ts';
import type {ListedName} from './attribute-walk.ts';
import {type FlatListing, readFlatListing} from './flat-listing.ts';

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

/** The same of one page of everything below a directory; gives what it says of each directory. */
export const noteFlatListing = (
	cache: MetadataCache,
	directory: string,
	page: ListPage,
	{token, beganAtMs, startAfter}: {token: ReadToken; beganAtMs: number; startAfter?: string},
): FlatListing => {
	const listing = readFlatListing(directory, page, {startAfter});
	for (const [path, {marker, names, isComplete}] of listing.directories) {
		if (path !== directory) {
			const known = marker === undefined ? undefined : (cache.attributesOf(marker) ?? 'unknown');
			noteEntry(cache, path, {state: 'directory', marker: known}, token);
		}

		if (isComplete) {
			cache.recordListing(path, names, {token, beganAtMs});
		}
	}

	for (const object of listing.files) {
		noteEntry(cache, object.key, {state: 'listed', object}, token);
	}

	return listing;
};

/** A listing knows attributes only of versions that HEAD was asked for before: where they are known, they stay. */
const noteEntry = (cache: MetadataCache, path: string, entry: KnownEntry, token: ReadToken): void => {
	const known = cache.get(path);
	const isKnown =
		entry.state === 'directory'
			? known?.state === 'directory' && (entry.marker === 'unknown' || known.marker !== 'unknown')
			: known?.state === 'object';
	if (!isKnown) {
		cache.record(path, entry, token);
	}
};
