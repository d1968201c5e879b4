import {FsError} from '../model/fs-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {type FileAttributes, newAttributes} from './attributes.ts';
import {createObject} from './create-object.ts';
import type {Caller, OpenFlags, OpenResult} from './filesystem.ts';
import type {Node} from './namespace.ts';
import {OpenFile} from './open-file.ts';
import {truncateFile} from './truncate-file.ts';
import {type Volume, assertWritable, wallClockNs} from './volume.ts';

type Creation = {permissions: number; caller: Caller};

export const open = async (
	volume: Volume,
	path: string,
	flags: OpenFlags,
	creation?: Creation,
): Promise<OpenResult> => {
	if (flags.write || flags.truncate || flags.create) {
		const isChange =
			flags.write || flags.truncate || (flags.create && (await volume.namespace.lookup(path)) === undefined);
		if (isChange) {
			assertWritable(volume);
		}
	}

	return volume.locks.run([{path}], async () => {
		const file = await openFile(volume, path, flags, creation);
		reportEarlierFailure(file, flags);
		if (volume.files.get(path) === undefined) {
			// It was forgotten since, as nobody had it open and its upload ended.
			volume.files.add(file);
		}

		const handle = volume.files.addHandle({
			file,
			flags,
			sequence: volume.reader.createSequence(),
			generation: file.generation,
			hasReachedEnd: false,
			endBytes: 0,
			hasWritten: false,
		});
		try {
			if (flags.truncate && (file.sizeBytes > 0 || !file.hasChanges)) {
				await truncateFile(file, 0);
			}
		} catch (error) {
			volume.files.removeHandle(handle);
			volume.files.collect(file);
			throw error;
		}

		return {handle, keepCache: keepsKernelPages(volume, file)};
	});
};

/** The file of a path: open already, found in S3, or new. */
const openFile = async (
	volume: Volume,
	path: string,
	flags: OpenFlags,
	creation: Creation | undefined,
): Promise<OpenFile> => {
	const changed = volume.files.changed(path);
	if (changed !== undefined) {
		if (flags.create && flags.exclusive) {
			throw new FsError('EEXIST', `${path} exists`);
		}

		return changed;
	}

	if (flags.create && flags.exclusive) {
		return createExclusively(volume, path, creation);
	}

	const node = await lookupForOpen(volume, path, flags);
	if (node === undefined) {
		if (!flags.create) {
			throw new FsError('ENOENT', `${path} does not exist`);
		}

		return createLocally(volume, path, creation);
	}

	if (node.kind === 'directory') {
		throw new FsError('EISDIR', `${path} is a directory`);
	}

	if (node.attributes.kind === 'symlink') {
		throw new FsError('ELOOP', `${path} is a symbolic link`);
	}

	return adoptVersion(volume, path, node);
};

/** Close-to-open: what S3 has now, not what the cache remembers. */
const lookupForOpen = async (volume: Volume, path: string, flags: OpenFlags): Promise<Node | undefined> => {
	const known = await volume.namespace.lookup(path);
	if (volume.options.consistency === 'ttl' || known?.kind === 'directory') {
		return known;
	}

	// A name that is not there, and whose content would not matter if it came to be there just now, need not be asked
	// for twice.
	if (known === undefined && flags.create && (flags.truncate || (flags.append && !flags.read))) {
		return undefined;
	}

	const ask =
		known?.kind === 'object' && !flags.write
			? async (key: string) => volume.reader.openSmall(key, known.head)
			: undefined;
	return (
		(await volume.namespace.lookupObject(path, ask)) ??
		(known === undefined ? undefined : volume.namespace.lookup(path))
	);
};

const adoptVersion = (volume: Volume, path: string, node: Extract<Node, {kind: 'object'}>): OpenFile => {
	const file = volume.files.get(path);
	if (file === undefined) {
		return addFile(volume, path, node.head, node.attributes);
	}

	if (file.hasChanges) {
		// Somebody wrote while S3 was asked: the changes lie on the version that they were made on.
		return file;
	}

	if (file.base?.etag !== node.head.etag) {
		file.generation++;
	}

	file.replaceBase(node.head, node.attributes);
	file.checkedAtMs = volume.now();
	return file;
};

const createLocally = async (volume: Volume, path: string, creation: Creation | undefined): Promise<OpenFile> => {
	const parent = await volume.namespace.requireParent(path);
	const file = addFile(volume, path, undefined, newFileAttributes(creation, parent));
	await file.exclusively(async () => file.writableLayer());
	volume.changes.created(path, undefined);
	return file;
};

/** O_EXCL: of all nodes that try, S3 lets one win. */
const createExclusively = async (volume: Volume, path: string, creation: Creation | undefined): Promise<OpenFile> => {
	const parent = await volume.namespace.requireParent(path);
	if ((await volume.namespace.lookup(path)) !== undefined) {
		throw new FsError('EEXIST', `${path} exists`);
	}

	const attributes = newFileAttributes(creation, parent);
	const head = await createObject(volume, path, new Uint8Array(), attributes);
	return addFile(volume, path, head, attributes);
};

const newFileAttributes = (creation: Creation | undefined, parent: FileAttributes): FileAttributes =>
	newAttributes(
		{kind: 'file', permissions: creation?.permissions ?? 0o644, rdev: 0},
		creation?.caller ?? {uid: 0, gid: 0},
		parent,
		wallClockNs(),
	);

const addFile = (volume: Volume, path: string, base: ObjectHead | undefined, attributes: FileAttributes): OpenFile => {
	const file = new OpenFile({
		path,
		base,
		attributes,
		staging: volume.staging,
		reader: volume.reader,
		defaults: volume.defaults,
		now: volume.now(),
	});
	volume.files.add(file);
	return file;
};

/** A failed upload that nobody heard of is told to the next who opens the file for writing. */
const reportEarlierFailure = (file: OpenFile, flags: OpenFlags): void => {
	const error = file.unreportedError;
	if (error !== undefined && flags.write && !flags.truncate) {
		file.unreportedError = undefined;
		throw error;
	}
};

const keepsKernelPages = (volume: Volume, file: OpenFile): boolean => {
	if (file.hasChanges || file.base === undefined) {
		return file.handles.size > 1;
	}

	return volume.kernelPages.opened(file.path, file.base.etag);
};
