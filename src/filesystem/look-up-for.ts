import type {FileSystemParts} from './file-system-parts.ts';
import type {LookupPurpose, OpenFlags} from './filesystem.ts';
import {lookUpWithContent} from './look-up-with-content.ts';
import type {Entry} from './namespace.ts';
import type {ListedObject} from '../store/object-store.ts';

type AskPurpose = () => Promise<LookupPurpose | undefined>;

/**
What a path is, for the kernel's look-up of a name. The kernel asks whether a name exists before it opens it, and an
open must find what was closed elsewhere just now. Where the look-up is known to begin an open, what S3 said is noted
for that.
*/
export const lookUpFor = async (
	parts: FileSystemParts,
	path: string,
	askPurpose: AskPurpose,
): Promise<Entry | undefined> => {
	const {cache, namespace, options} = parts;
	if (path === '' || options.consistency === 'ttl') {
		return namespace.lookup(path);
	}

	const known = cache.get(path);
	if (known === undefined) {
		return lookUpUnknown(parts, path, askPurpose);
	}

	if (known.state === 'absent') {
		return lookUpAbsent(parts, path, askPurpose);
	}

	if (known.state === 'listed' && options.attributes === 'posix') {
		return lookUpListed(parts, known.object, askPurpose);
	}

	return namespace.lookup(path);
};

const lookUpUnknown = async (
	parts: FileSystemParts,
	path: string,
	askPurpose: AskPurpose,
): Promise<Entry | undefined> => {
	// Others may have asked already, and hear of before.
	const isShared = parts.namespace.isAskedFor(path);
	const token = parts.cache.beginRead();
	const [entry, purpose] = await Promise.all([parts.namespace.lookup(path), isShared ? undefined : askPurpose()]);
	noteOpening(parts, purpose, {path, entry, token});
	return entry;
};

const lookUpAbsent = async (
	parts: FileSystemParts,
	path: string,
	askPurpose: AskPurpose,
): Promise<Entry | undefined> => {
	const purpose = await askPurpose();
	if (purpose?.call === 'ask' || (purpose?.call === 'open' && purpose.flags.create)) {
		return undefined; // A name that is to be made is made on the condition that it is free, or asked for once more.
	}

	const token = parts.cache.beginRead();
	const entry = await parts.namespace.lookup(path, {doubtsAbsence: true});
	noteOpening(parts, purpose, {path, entry, token});
	return entry;
};

const lookUpListed = async (
	parts: FileSystemParts,
	object: ListedObject,
	askPurpose: AskPurpose,
): Promise<Entry | undefined> => {
	const {namespace, store} = parts;
	const purpose = await askPurpose();
	if (purpose?.call !== 'open') {
		return namespace.lookup(object.key);
	}

	const token = parts.cache.beginRead();
	const entry = await namespace.lookupToOpen(object.key, async key =>
		needsContent(purpose.flags) ? lookUpWithContent(parts, key, object) : store.head(key),
	);
	noteOpening(parts, purpose, {path: object.key, entry, token});
	// What was a file may have become a directory meanwhile.
	return entry ?? namespace.lookup(object.key);
};

/** Who appends to a small file uploads what it had before as well. */
const needsContent = ({read, append, truncate}: OpenFlags): boolean => !truncate && (read || append);

const noteOpening = (
	{openings}: FileSystemParts,
	purpose: LookupPurpose | undefined,
	{path, entry, token}: {path: string; entry: Entry | undefined; token: number},
): void => {
	if (purpose?.call === 'open' && entry?.kind === 'object') {
		openings.note(purpose.threadId, {path, flags: purpose.flags, entry, token});
	}
};
