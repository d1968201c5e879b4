import {FsError} from '../model/fs-error.ts';
import {assertFileBytes} from './file-size.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Handle, OpenFlags, Target} from './filesystem.ts';
import {catchUp, growAtEnd, isFollowing} from './follow-growth.ts';
import {assertCurrent, isOutdated, type OpenFile} from './open-file.ts';
import {noteRequest, openHandle} from './open-operation.ts';
import {truncateFile} from './truncate-file.ts';
import {wallClockNs} from './wall-clock.ts';

export const read = async (
	parts: FileSystemParts,
	number: Handle,
	buffer: Uint8Array,
	offset: number,
	options: {isForPages?: boolean} = {},
): Promise<number> => {
	const handle = parts.files.handle(number);
	noteRequest(parts, handle);
	const {file} = handle;
	if (!handle.flags.read && handle.flags.write && !handle.hasWritten && file.base === undefined) {
		// The kernel reads through write-only handles to fill a page that is written in part (mmap): that is allowed.
		return file.read(handle, offset, buffer);
	}

	if (options.isForPages === true && handle.isDirect && parts.files.hasOtherVersionRead(file)) {
		// The pages are those of the path: the readers of the other version would find these bytes there.
		throw new FsError(
			'EINVAL',
			`Cannot read ${file.path} by way of the kernel's pages, as with mmap() or sendfile(): an older version of it is still open on this node; close that, or use read()`,
		);
	}

	if (!isOutdated(handle) && isFollowing(handle, offset) && offset + buffer.length > file.sizeBytes) {
		await growAtEnd(parts, handle);
	}

	if (isOutdated(handle)) {
		if (handle.hasReachedEnd && offset >= handle.endBytes && file.sizeBytes <= handle.endBytes) {
			return 0; // The end of its version.
		}

		if (isFollowing(handle, offset)) {
			await catchUp(parts, handle);
		}
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

export const write = async (
	parts: FileSystemParts,
	number: Handle,
	data: Uint8Array,
	offset: number,
	options: {writepage?: boolean} = {},
): Promise<number> => {
	assertWritable(parts);
	const handle = parts.files.handle(number);
	noteRequest(parts, handle);
	const {file} = handle;
	const isAppend = handle.flags.append && options.writepage !== true;
	await file.exclusively(async () => {
		if (!isAppend) {
			assertCurrent(handle);
		}

		assertFileBytes((isAppend ? file.sizeBytes : offset) + data.length);
		const layer = await file.writableLayer();
		await layer.write(isAppend ? layer.sizeBytes : offset, data, {isAppend});
		file.touch(wallClockNs());
		parts.earlyUploads.advance(file);
		await sealWhenFull(parts, file);
	});
	handle.hasWritten = true;
	return data.length;
};

/**
So many small changes would take ever more memory until somebody closes the file: they go to S3 as if it were synced.
To be called exclusively, after each change.
*/
export const sealWhenFull = async (parts: FileSystemParts, file: OpenFile): Promise<void> => {
	if (file.isFull && !file.isUnlinked) {
		// The change is done; whoever syncs it hears of a journal that cannot be written.
		await file.seal({waitsForUpload: false}).catch(() => undefined);
		parts.uploads.start(file);
	}
};

/** Returns when S3 (or the journal, as `durability` says) has what was written. */
export const flush = async (
	parts: FileSystemParts,
	number: Handle,
	options: {hasOtherDescriptor?: (path: string) => Promise<boolean>} = {},
): Promise<void> => {
	const handle = parts.files.handle(number);
	noteRequest(parts, handle);
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
		await parts.uploads.settle(file, {isWaitedFor: true});
		file.wasToldOfFailure = false;
	} catch (error) {
		file.wasToldOfFailure = true;
		throw error;
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
		const handle = parts.files.handle(target.handle);
		await truncateFile(handle.file, sizeBytes, {handle});
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
	const handle = await openHandle(parts, path, flags);
	const {file} = parts.files.handle(handle);
	if (!file.hasChanges && file.base !== undefined && !parts.kernelPages.has(path, file.base.etag)) {
		file.hasOtherPages = true; // The kernel has not heard of this version yet.
	}

	try {
		const result = await task(file);
		await flush(parts, handle);
		return result;
	} finally {
		await release(parts, handle);
	}
};
