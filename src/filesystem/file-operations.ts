import {FsError} from '../model/fs-error.ts';
import {isStoreError} from '../model/store-error.ts';
import {assertFileBytes} from './file-size.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Handle, OpenFlags, Target} from './filesystem.ts';
import type {Entry} from './namespace.ts';
import {type FileHandle, isOutdated, type OpenFile} from './open-file.ts';
import {open} from './open-operation.ts';
import {truncateFile} from './truncate-file.ts';
import {wallClockNs} from './wall-clock.ts';

export const read = async (
	parts: FileSystemParts,
	number: Handle,
	buffer: Uint8Array,
	offset: number,
): Promise<number> => {
	const handle = parts.files.handle(number);
	const {file} = handle;
	if (!handle.flags.read && handle.flags.write && !handle.hasWritten && file.base === undefined) {
		// The kernel reads through write-only handles to fill a page that is written in part (mmap): that is allowed.
		return file.read(handle, offset, buffer);
	}

	if (handle.hasReachedEnd && offset >= handle.endBytes && file.sizeBytes <= handle.endBytes && isOutdated(handle)) {
		return 0; // The end of its version.
	}

	assertSameVersion(handle, offset);
	if (handle.hasReachedEnd && offset >= startOfPage(handle.endBytes) && offset + buffer.length > file.sizeBytes) {
		await growAtEnd(parts, handle);
		assertSameVersion(handle, offset);
	}

	let bytesRead = await file.read(handle, offset, buffer);
	if (bytesRead === 0 && (await growAtEnd(parts, handle))) {
		bytesRead = await file.read(handle, offset, buffer);
	}

	if (!isOutdated(handle)) {
		handle.hasReachedEnd = offset + bytesRead >= file.sizeBytes;
		handle.endBytes = file.sizeBytes;
	}

	return bytesRead;
};

/**
A reader keeps the version that it opened; one that stands at its end goes on in a longer one. One that goes back
from there does not: programs that read the end of an archive first would take its index from one version and its
content from another.
*/
export const assertSameVersion = (handle: FileHandle, offset: number): void => {
	if (!isOutdated(handle)) {
		return;
	}

	if (handle.hasReachedEnd && handle.file.sizeBytes > handle.endBytes && offset >= startOfPage(handle.endBytes)) {
		handle.generation = handle.file.generation;
		return;
	}

	throw new FsError('ESTALE', `${handle.file.path} was replaced elsewhere since it was opened`);
};

/** The kernel reads whole pages: for a program that stands at the end it asks for the page that the end is in. */
const startOfPage = (offset: number): number => offset - (offset % 4096);

/** At the end of the file: whether S3 has a longer version by now (`tail -f` across nodes). */
const growAtEnd = async (parts: FileSystemParts, handle: FileHandle): Promise<boolean> => {
	const {file} = handle;
	if (file.hasChanges || file.isUnlinked) {
		return false;
	}

	const {path} = file;
	const token = parts.cache.beginRead();
	const entry = await lookupAtEnd(parts, file);
	if (
		entry?.kind !== 'object' ||
		file.hasChanges ||
		file.path !== path ||
		isOutdated(handle) ||
		parts.cache.changeSince(path, token) !== undefined ||
		entry.head.etag === file.base?.etag ||
		entry.head.sizeBytes <= file.sizeBytes
	) {
		return false;
	}

	file.generation++;
	handle.generation = file.generation;
	file.replaceBase(entry.head, entry.attributes);
	return true;
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

export const write = async (
	parts: FileSystemParts,
	number: Handle,
	data: Uint8Array,
	offset: number,
	options: {writepage?: boolean} = {},
): Promise<number> => {
	assertWritable(parts);
	const handle = parts.files.handle(number);
	const {file} = handle;
	const isAppend = handle.flags.append && options.writepage !== true;
	await file.exclusively(async () => {
		assertFileBytes((isAppend ? file.sizeBytes : offset) + data.length);
		const layer = await file.writableLayer();
		await layer.write(isAppend ? layer.sizeBytes : offset, data, {isAppend});
		file.touch(wallClockNs());
	});
	handle.hasWritten = true;
	return data.length;
};

/** Returns when S3 (or the journal, as `durability` says) has what was written. */
export const flush = async (
	parts: FileSystemParts,
	number: Handle,
	options: {hasOtherDescriptor?: (path: string) => Promise<boolean>} = {},
): Promise<void> => {
	const handle = parts.files.handle(number);
	if (!handle.flags.write) {
		return;
	}

	const {file} = handle;
	// A shell closes one of two descriptors of a new file before it writes: the file is not worth an upload yet.
	const isUntouched =
		file.base === undefined &&
		file.sizeBytes === 0 &&
		!handle.hasWritten &&
		file.hasUnsealedChanges &&
		file.handles.size === 1;
	if (!isUntouched || (await options.hasOtherDescriptor?.(file.path)) !== true) {
		await persist(parts, file);
	}
};

export const fsync = async (parts: FileSystemParts, number: Handle): Promise<void> => {
	const {file} = parts.files.handle(number);
	const earlier = file.unreportedError;
	await persist(parts, file);
	if (earlier !== undefined && file.unreportedError === earlier) {
		file.unreportedError = undefined;
		throw earlier;
	}
};

/** Seals what was written and, unless the journal is durable enough, waits until S3 has it. */
export const persist = async (parts: FileSystemParts, file: OpenFile): Promise<void> => {
	if (file.isUnlinked || !file.hasChanges) {
		return;
	}

	const isJournal = parts.options.durability === 'journal';
	try {
		await file.exclusively(async () => file.seal({waitsForUpload: !isJournal}));
	} finally {
		// Also when the journal could not be written: the upload does not need it.
		if (isJournal && !file.isUnlinked && file.hasChanges) {
			parts.uploads.start(file);
		}
	}

	if (isJournal || file.isUnlinked || !file.hasChanges) {
		return;
	}

	try {
		await settleUnlessUnlinked(parts, file);
		file.wasToldOfFailure = false;
	} catch (error) {
		file.wasToldOfFailure = true;
		throw error;
	}
};

/** An unlink or a rename stops the upload: when it is over, the file is gone, or still has to be uploaded. */
const settleUnlessUnlinked = async (parts: FileSystemParts, file: OpenFile): Promise<void> => {
	try {
		await parts.uploads.settle(file, {isWaitedFor: true});
	} catch (error) {
		if (!isStoreError(error, 'aborted')) {
			throw error;
		}

		await file.exclusively(async () => undefined);
		if (!file.isUnlinked) {
			await parts.uploads.settle(file, {isWaitedFor: true});
		}
	}
};

export const release = async (parts: FileSystemParts, number: Handle): Promise<void> => {
	const handle = parts.files.removeHandle(number);
	const file = handle?.file;
	if (file === undefined || file.handles.size > 0) {
		return;
	}

	if (file.isUnlinked) {
		await file.exclusively(async () => file.discardChanges());
	} else if (file.hasChanges) {
		// Pages of a mapping may have been written after the last close.
		await file
			.exclusively(async () => file.seal({waitsForUpload: false}))
			.catch((error: unknown) => {
				// Nobody waits for a release; the upload does not need the journal.
				file.unreportedError = error as Error;
			});
		parts.uploads.start(file);
	}

	parts.files.collect(file);
};

export const truncate = async (parts: FileSystemParts, target: Target, sizeBytes: number): Promise<void> => {
	assertWritable(parts);
	if ('handle' in target) {
		await truncateFile(parts.files.handle(target.handle).file, sizeBytes);
	} else {
		await withFile(parts, target.path, async file => truncateFile(file, sizeBytes));
	}
};

/** A task on a file by its path, as between an open and a close. */
const withFile = async <Result>(
	parts: FileSystemParts,
	path: string,
	task: (file: OpenFile) => Promise<Result>,
): Promise<Result> => {
	const flags: OpenFlags = {read: true, write: true, append: false, truncate: false, create: false, exclusive: false};
	const {handle} = await open(parts, path, flags);
	try {
		const result = await task(parts.files.handle(handle).file);
		await flush(parts, handle);
		return result;
	} finally {
		await release(parts, handle);
	}
};
