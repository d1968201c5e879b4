import type {KnownEntry} from '../cache/metadata-cache.ts';
import {FsError} from '../model/fs-error.ts';
import {hasSameBytes} from '../upload/write-id.ts';
import {addFile} from './add-file.ts';
import {type FileAttributes, newAttributes} from './attributes.ts';
import {createObject} from './create-object.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Caller, Handle, OpenFlags, OpenResult} from './filesystem.ts';
import {lookUpWithContent} from './look-up-with-content.ts';
import type {Entry} from './namespace.ts';
import {type FileHandle, isOutdated, type OpenFile} from './open-file.ts';
import {truncateFile} from './truncate-file.ts';
import {wallClockNs} from './wall-clock.ts';

type Creation = {permissions: number; caller: Caller};

/** An open of the kernel. */
export const open = async (
	parts: FileSystemParts,
	path: string,
	flags: OpenFlags,
	creation?: Creation,
): Promise<OpenResult> => {
	const number = await openHandle(parts, path, flags, creation);
	if (flags.read && !flags.truncate) {
		parts.filesAhead.opened(path);
	}

	const handle = parts.files.handle(number);
	return {
		handle: number,
		sizeBytes: handle.file.sizeBytes,
		keepsPages: () => keepsKernelPages(parts, handle),
		isDirect: handle.isDirect,
	};
};

/** An open that the kernel does not hear of. */
export const openHandle = async (
	parts: FileSystemParts,
	path: string,
	flags: OpenFlags,
	creation?: Creation,
): Promise<Handle> => {
	if (flags.write || flags.truncate || flags.create) {
		const isChange =
			flags.write || flags.truncate || (flags.create && (await parts.namespace.lookup(path)) === undefined);
		if (isChange) {
			assertWritable(parts);
		}
	}

	const order = parts.openings.begin();
	return parts.locks.run([{path}], async () => {
		const file = await openFile(parts, path, flags, {creation, order});
		reportEarlierFailure(file, flags);
		if (parts.files.get(path) === undefined) {
			// It was forgotten since, as nobody had it open and its upload ended.
			parts.files.add(file);
		}

		const handle: FileHandle = {
			file,
			flags,
			sequence: parts.reader.createSequence(),
			hasReachedEnd: false,
			endBytes: 0,
			hasWritten: false,
			isDirect: false,
			pagesToCome: undefined,
		};
		const number = parts.files.addHandle(handle);
		try {
			if (flags.truncate && (file.sizeBytes > 0 || !file.hasUnsealedChanges)) {
				await truncateFile(file, 0);
				file.makeCurrent(handle); // What it opened is empty, also when a reader has found a newer version meanwhile.
			} else if (flags.truncate) {
				file.touch(wallClockNs()); // The time goes with the changes that wait.
			}
		} catch (error) {
			parts.files.removeHandle(number);
			parts.files.collect(file);
			throw error;
		}

		handle.isDirect = parts.files.hasOtherVersionOpen(file);
		return number;
	});
};

/** The file of a path: open already, found in S3, or new. */
const openFile = async (
	parts: FileSystemParts,
	path: string,
	flags: OpenFlags,
	{creation, order}: {creation: Creation | undefined; order: number},
): Promise<OpenFile> => {
	const changed = parts.files.changed(path);
	if (changed !== undefined) {
		if (flags.create && flags.exclusive) {
			throw new FsError('EEXIST', `${path} exists`);
		}

		return changed;
	}

	if (flags.create && flags.exclusive) {
		return createExclusively(parts, path, creation);
	}

	for (;;) {
		const token = parts.cache.beginRead();
		const entry = await lookupForOpen(parts, path, flags, order);
		const change = parts.cache.changeSince(path, token);
		const file = parts.files.get(path);
		if (file !== undefined && (file.hasChanges || isVersionOf(file, change?.entry))) {
			return file; // Somebody of this node wrote while S3 was asked, whose answer may be of before.
		}

		if (change === undefined) {
			return entry === undefined && flags.create
				? createLocally(parts, path, creation)
				: adoptVersion(parts, path, assertFile(path, entry));
		}
	}
};

const isVersionOf = (file: OpenFile, entry: KnownEntry | undefined): boolean =>
	entry?.state === 'object' && entry.head.etag === file.base?.etag;

const assertFile = (path: string, entry: Entry | undefined): Extract<Entry, {kind: 'object'}> => {
	if (entry === undefined) {
		throw new FsError('ENOENT', `${path} does not exist`);
	}

	if (entry.kind === 'directory') {
		throw new FsError('EISDIR', `${path} is a directory`);
	}

	if (entry.attributes.kind === 'symlink') {
		throw new FsError('ELOOP', `${path} is a symbolic link`);
	}

	return entry;
};

/** Close-to-open: what S3 has now, not what the cache remembers. */
const lookupForOpen = async (
	parts: FileSystemParts,
	path: string,
	flags: OpenFlags,
	order: number,
): Promise<Entry | undefined> => {
	const begun = parts.openings.take(path, flags) ?? parts.openings.answerSince(path, order);
	if (begun !== undefined && parts.cache.changeSince(path, begun.token) === undefined) {
		return begun.entry;
	}

	const known = await parts.namespace.lookup(path);
	if (parts.options.consistency === 'ttl' || known?.kind === 'directory') {
		return known;
	}

	// A name that does not exist need not be looked up twice when the content of a file that appears just now would
	// not matter.
	if (known === undefined && flags.create && (flags.truncate || (flags.append && !flags.read))) {
		return undefined;
	}

	const ask =
		known?.kind === 'object' && !flags.write
			? async (key: string) => lookUpWithContent(parts, key, known.head)
			: undefined;
	const asked = {order: parts.openings.begin(), token: parts.cache.beginRead()};
	const entry = await parts.namespace.lookupObject(path, ask);
	if (entry !== undefined) {
		parts.openings.noteAnswer(path, {...asked, entry});
		return entry;
	}

	return known === undefined ? undefined : parts.namespace.lookup(path);
};

const adoptVersion = (parts: FileSystemParts, path: string, entry: Extract<Entry, {kind: 'object'}>): OpenFile => {
	const file = parts.files.get(path);
	if (file === undefined) {
		return addFile(parts, path, entry.head, entry.attributes);
	}

	if (hasSameBytes(file.base, entry.head)) {
		file.replaceBase(entry.head, entry.attributes);
	} else {
		file.replaceVersion(entry.head, entry.attributes);
	}

	file.checkedAtMs = parts.now();
	return file;
};

const createLocally = async (
	parts: FileSystemParts,
	path: string,
	creation: Creation | undefined,
): Promise<OpenFile> => {
	const parent = await parts.namespace.requireParent(path);
	const file = addFile(parts, path, undefined, newFileAttributes(creation, parent));
	await file.exclusively(async () => file.writableLayer());
	parts.changes.created(path, undefined);
	return file;
};

/** O_EXCL: of all nodes that try, S3 lets one win. */
const createExclusively = async (
	parts: FileSystemParts,
	path: string,
	creation: Creation | undefined,
): Promise<OpenFile> => {
	const parent = await parts.namespace.requireParent(path);
	if ((await parts.namespace.lookup(path)) !== undefined) {
		throw new FsError('EEXIST', `${path} exists`);
	}

	const attributes = newFileAttributes(creation, parent);
	const head = await createObject(parts, path, new Uint8Array(), attributes);
	return addFile(parts, path, head, attributes);
};

const newFileAttributes = (creation: Creation | undefined, parent: FileAttributes): FileAttributes =>
	newAttributes(
		{kind: 'file', permissions: creation?.permissions ?? 0o644, rdev: 0},
		creation?.caller ?? {uid: 0, gid: 0},
		parent,
		wallClockNs(),
	);

/** A failed upload that nobody heard of is told to the next who opens the file for writing. */
const reportEarlierFailure = (file: OpenFile, flags: OpenFlags): void => {
	const error = file.unreportedError;
	if (error !== undefined && flags.write && !flags.truncate) {
		file.unreportedError = undefined;
		throw error;
	}
};

/**
The kernel has one set of pages for a path. As long as a handle of another version is open, which is served from them,
this version must not get into them; and nobody knows what is in them afterwards.
*/
const keepsKernelPages = (parts: FileSystemParts, handle: FileHandle): boolean => {
	const {file} = handle;
	if (handle.isDirect || isOutdated(handle)) {
		parts.kernelPages.forget(file.path);
		file.hasOtherPages = true;
		return false;
	}

	const mayBeOthers = file.hasOtherPages;
	file.hasOtherPages = false; // The kernel drops them now.
	if (file.hasChanges || file.base === undefined) {
		return !mayBeOthers && file.handles.size > 1;
	}

	const {etag} = file.base;
	if (!mayBeOthers && parts.kernelPages.has(file.path, etag)) {
		parts.kernelPages.note(file.path, etag);
		return true;
	}

	parts.kernelPages.forget(file.path);
	handle.pagesToCome = etag;
	return false;
};

/**
The kernel made a request through a handle: so it has used the answer to its open, and dropped the pages of before.
Until then an open that keeps the pages could be ahead of it.
*/
export const noteRequest = (parts: FileSystemParts, handle: FileHandle): void => {
	if (handle.pagesToCome !== undefined) {
		parts.kernelPages.note(handle.file.path, handle.pagesToCome);
		handle.pagesToCome = undefined;
	}
};
