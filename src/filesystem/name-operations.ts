import type {EntryKind} from '../model/entry-kind.ts';
import {FsError} from '../model/fs-error.ts';
import {isEntryName, keyBytesMax, nameOf, parentOf, toKeyPrefix} from '../model/object-key.ts';
import {isStoreError} from '../model/store-error.ts';
import {type FileAttributes, linkBytesMax, newAttributes} from './attributes.ts';
import {createObject} from './create-object.ts';
import {ensureMarker} from './ensure-marker.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Caller} from './filesystem.ts';
import type {OpenFile} from './open-file.ts';
import {removeObject} from './remove-object.ts';
import {wallClockNs} from './wall-clock.ts';

/** ENAMETOOLONG and EILSEQ for names that cannot be made. */
export const assertCreatable = (parts: FileSystemParts, path: string, suffix = ''): void => {
	if (path.includes('\uFFFD')) {
		// Names come as UTF-8; what is not UTF-8 arrived as this character, and S3 takes UTF-8 only.
		throw new FsError('EILSEQ', 'Names of files must be valid UTF-8');
	}

	if (!isEntryName(nameOf(path))) {
		throw new FsError('ENAMETOOLONG', `A name has 255 bytes at most: ${nameOf(path).slice(0, 80)} is longer`);
	}

	assertKeyFits(parts, path + suffix);
};

/** ENAMETOOLONG when S3 does not take the key. */
export const assertKeyFits = (parts: FileSystemParts, key: string): void => {
	if (Buffer.byteLength(toKeyPrefix(parts.options.prefix) + key) > keyBytesMax) {
		throw new FsError('ENAMETOOLONG', `A key of S3 has ${keyBytesMax} bytes at most: ${key.slice(0, 80)} is longer`);
	}
};

export const mkdir = async (
	parts: FileSystemParts,
	path: string,
	permissions: number,
	caller: Caller,
): Promise<void> => {
	assertWritable(parts);
	assertCreatable(parts, path, '/');
	await parts.locks.run([{path}], async () => {
		const parent = await requireFree(parts, path);
		const attributes = newAttributes({kind: 'directory', permissions, rdev: 0}, caller, parent, wallClockNs());
		await createObject(parts, path, new Uint8Array(), attributes);
	});
};

export const rmdir = async (parts: FileSystemParts, path: string): Promise<void> => {
	assertWritable(parts);
	await parts.locks.run([{path, isTree: true}], async () => {
		const entry = parts.files.changed(path) === undefined ? await parts.namespace.require(path) : undefined;
		if (entry?.kind !== 'directory') {
			throw new FsError('ENOTDIR', `${path} is not a directory`);
		}

		if (path === '') {
			throw new FsError('EBUSY', 'The root of the volume cannot be removed');
		}

		// Also what cannot be shown keeps it from being empty.
		if (parts.files.hasChangedWithin(path) || !(await parts.namespace.isEmpty(path))) {
			throw new FsError('ENOTEMPTY', `${path} is not empty`);
		}

		await ensureMarker(parts, parentOf(path));
		await removeObject(parts, `${path}/`, entry.marker);
		parts.changes.directoryRemoved(path);
	});
};

export const unlink = async (parts: FileSystemParts, path: string): Promise<void> => {
	assertWritable(parts);
	await parts.locks.run([{path}], async () => {
		const file = parts.files.get(path);
		const entry = file?.hasChanges === true ? undefined : await parts.namespace.require(path);
		if (entry?.kind === 'directory') {
			throw new FsError('EISDIR', `${path} is a directory`);
		}

		await settleCopiesOf(parts, key => key === path);
		await detachOpenFile(parts, file, async () => {
			await ensureMarker(parts, parentOf(path));
			await removeObject(parts, path, entry?.head ?? file?.base);
		});
		parts.changes.removed(path);
	});
};

/**
Runs a step that takes the object of a file away (unlink, or a rename over it). Whoever has the file open keeps it:
what S3 will not keep is brought to local disk first.
*/
export const detachOpenFile = async (
	parts: FileSystemParts,
	file: OpenFile | undefined,
	takeAway: () => Promise<void>,
): Promise<void> => {
	if (file === undefined) {
		await takeAway();
		return;
	}

	// An upload that began meanwhile would bring the name back, or replace what has it then.
	await file.exclusively(async () => parts.uploads.withhold(file, async () => detach(parts, file, takeAway)));
};

const detach = async (parts: FileSystemParts, file: OpenFile, takeAway: () => Promise<void>): Promise<void> => {
	const {hasChanges} = file;
	try {
		if (file.handles.size > 0 && file.base !== undefined && file.base.versionId === undefined) {
			await keepBytes(file);
		}

		await takeAway();
	} catch (error) {
		// The file stays as it was: what was brought here is not a change, and what was to be uploaded still is.
		if (!hasChanges) {
			await file.discardChanges();
		}

		parts.uploads.start(file);
		throw error;
	}

	await file.forgetJournal();
	file.isUnlinked = true;
	parts.files.detach(file);
	if (file.handles.size === 0) {
		await file.discardChanges();
	}
};

/**
The bytes of the version that is open come to local disk; when S3 has them no more, its readers hear of it (ESTALE),
not we.
*/
const keepBytes = async (file: OpenFile): Promise<void> => {
	try {
		await file.materialize();
	} catch (error) {
		if (!isStoreError(error, 'preconditionFailed', 'notFound')) {
			throw error;
		}
	}
};

/**
Files whose new version is to be copied on the server from an object that is about to go are uploaded first; a
bucket with versions keeps the object for them. To be called with the name locked.
*/
export const settleCopiesOf = async (parts: FileSystemParts, isGoing: (key: string) => boolean): Promise<void> => {
	for (const file of parts.files.all()) {
		if (!file.isUnlinked && file.refersTo(isGoing)) {
			await file.exclusively(async () => file.seal({waitsForUpload: false}));
			await parts.uploads.settle(file);
		}
	}
};

export const symlink = async (parts: FileSystemParts, target: string, path: string, caller: Caller): Promise<void> => {
	assertWritable(parts);
	assertCreatable(parts, path);
	if (target.includes('\uFFFD')) {
		throw new FsError('EILSEQ', 'The target of a symbolic link must be valid UTF-8');
	}

	await createSpecial(parts, path, {kind: 'symlink', permissions: 0o777, rdev: 0}, caller, Buffer.from(target));
};

export const readlink = async (parts: FileSystemParts, path: string): Promise<string> => {
	const entry = parts.files.changed(path) === undefined ? await parts.namespace.require(path) : undefined;
	if (entry?.kind !== 'object' || entry.attributes.kind !== 'symlink') {
		throw new FsError('EINVAL', `${path} is not a symbolic link`);
	}

	const target = Buffer.alloc(Math.min(entry.head.sizeBytes, linkBytesMax));
	await parts.reader.read(entry.head, 0, target);
	return target.toString();
};

/** Fifos, sockets and device files are type bits on an empty object; a regular file is made empty. */
export const mknod = async (
	parts: FileSystemParts,
	path: string,
	entry: {kind: EntryKind; permissions: number; rdev: number},
	caller: Caller,
): Promise<void> => {
	assertWritable(parts);
	assertCreatable(parts, path);
	await createSpecial(parts, path, entry, caller, new Uint8Array());
};

const createSpecial = async (
	parts: FileSystemParts,
	path: string,
	entry: {kind: EntryKind; permissions: number; rdev: number},
	caller: Caller,
	body: Uint8Array,
): Promise<void> => {
	if (parts.options.attributes === 'uniform' && entry.kind !== 'file') {
		throw new FsError('EPERM', 'A volume with uniform attributes has files and directories only');
	}

	await parts.locks.run([{path}], async () => {
		const parent = await requireFree(parts, path);
		await createObject(parts, path, body, newAttributes(entry, caller, parent, wallClockNs()));
	});
};

/**
EEXIST when the name is taken, ENOENT or ENOTDIR when it cannot be made; otherwise the attributes of the directory.
*/
const requireFree = async (parts: FileSystemParts, path: string): Promise<FileAttributes> => {
	const parent = await parts.namespace.requireParent(path);
	if (parts.files.changed(path) !== undefined || (await parts.namespace.lookup(path)) !== undefined) {
		throw new FsError('EEXIST', `${path} exists`);
	}

	return parent;
};
