import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {isAppendedTo} from '../upload/write-id.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {Entry} from './namespace.ts';
import {type FileHandle, isOutdated, type OpenFile} from './open-file.ts';

/** The kernel reads whole pages: for a program that stands at the end it asks for the page that the end is in. */
const startOfPage = (offset: number): number => offset - (offset % 4096);

/**
Whether a read at an offset is of a reader that goes on at the end of what it has read (`tail -f`). One that goes back
from there is not: programs that read the end of an archive first would take its index from one version and its content
from another.
*/
export const isFollowing = (handle: FileHandle, offset: number): boolean =>
	handle.hasReachedEnd && offset >= startOfPage(handle.endBytes);

/**
An outdated handle whose reader stands at its end goes on in the version that the file has now, if its own grew to that.
*/
export const catchUp = async (parts: FileSystemParts, handle: FileHandle): Promise<void> => {
	const {file} = handle;
	const {base} = file;
	const before = file.versionOf(handle);
	if (
		before !== undefined &&
		base !== undefined &&
		(await isGrowth(parts, before, base)) &&
		file.base === base &&
		file.versionOf(handle) === before
	) {
		file.makeCurrent(handle);
	}
};

/** At the end of the file: whether S3 has a version by now that this one grew to. The handle is of that one then. */
export const growAtEnd = async (parts: FileSystemParts, handle: FileHandle): Promise<boolean> => {
	const {file} = handle;
	if (file.hasChanges || file.isUnlinked) {
		return false;
	}

	const {path, base} = file;
	const token = parts.cache.beginRead();
	const entry = await lookupAtEnd(parts, file);
	if (entry?.kind !== 'object' || !(await hasGrownTo(parts, file, entry.head))) {
		return false;
	}

	if (
		file.hasChanges ||
		file.path !== path ||
		file.base !== base ||
		isOutdated(handle) ||
		parts.cache.changeSince(path, token) !== undefined
	) {
		return false;
	}

	file.replaceVersion(entry.head, entry.attributes);
	file.makeCurrent(handle);
	return true;
};

/** Whether a version of S3 is a longer one that the open file, which has no changes, grew to. */
export const hasGrownTo = async (parts: FileSystemParts, file: OpenFile, head: ObjectHead): Promise<boolean> => {
	const {base} = file;
	if (base === undefined || base.etag === head.etag || file.replacedBy === head.etag) {
		return false;
	}

	const isGrown = await isGrowth(parts, base, head);
	if (!isGrown && file.base === base) {
		file.replacedBy = head.etag;
	}

	return isGrown;
};

/** What the attributes that this node shows are of; S3 is asked once in `metadata-ttl`. */
const lookupAtEnd = async (parts: FileSystemParts, file: OpenFile): Promise<Entry | undefined> => {
	const known = parts.cache.get(file.path);
	if (known?.state === 'object' && known.head.etag !== file.base?.etag) {
		return parts.namespace.lookup(file.path);
	}

	if (parts.now() - file.checkedAtMs < parts.options.metadataTtlMs) {
		return undefined;
	}

	file.checkedAtMs = parts.now();
	return parts.namespace.lookupObject(file.path);
};

/**
Whether a longer version begins with the bytes of another: the ids of its writes say that all of them appended, or the
bytes before the old end are the same in both.
*/
const isGrowth = async (parts: FileSystemParts, before: ObjectHead, after: ObjectHead): Promise<boolean> =>
	after.sizeBytes > before.sizeBytes && (isAppendedTo(before, after) || hasSameTail(parts, before, after));

const hasSameTail = async ({reader}: FileSystemParts, before: ObjectHead, after: ObjectHead): Promise<boolean> => {
	const length = Math.min(before.sizeBytes, comparedBytes);
	const offset = before.sizeBytes - length;
	const [old, current] = [Buffer.alloc(length), Buffer.alloc(length)];
	try {
		await Promise.all([reader.read(before, offset, old), reader.read(after, offset, current)]);
	} catch (error) {
		if (isStoreError(error, 'preconditionFailed', 'notFound')) {
			return false; // Nobody can tell any more.
		}

		throw error;
	}

	return old.equals(current);
};

/** So many bytes before the end are compared: a block of the cache, which the reader has just read. */
const comparedBytes = 2 ** 20;
