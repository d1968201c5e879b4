import {FsError} from '../model/fs-error.ts';
import {parentOf} from '../model/object-key.ts';
import {forEachParallel} from '../model/semaphore.ts';
import type {ListedObject} from '../store/object-store.ts';
import {ensureMarker} from './ensure-marker.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {MovedObject} from './local-changes.ts';
import {copyLatest, moveOpenFile, settle} from './move-object.ts';
import {assertKeyFits} from './name-operations.ts';
import type {Entry} from './namespace.ts';
import type {OpenFile} from './open-file.ts';

/**
Copies a tree whole before the first old key goes, so that a failure or a crash on the way leaves the old tree as it
was. `target` is what has the new name. To be called with both trees locked.
*/
export const renameDirectory = async (
	parts: FileSystemParts,
	from: string,
	to: string,
	target: Entry | 'changed' | undefined,
): Promise<void> => {
	if (target === 'changed' || target?.kind === 'object') {
		throw new FsError('ENOTDIR', `${to} is not a directory`);
	}

	if (target !== undefined && (parts.files.hasChangedWithin(to) || !(await parts.namespace.isEmpty(to)))) {
		throw new FsError('ENOTEMPTY', `${to} is not empty`);
	}

	const open = parts.files.within(from);
	try {
		await moveTree(parts, from, {to, exists: target !== undefined}, open);
	} catch (error) {
		parts.changes.treeMayHaveMoved(from, to);
		throw error;
	}

	parts.changes.treeMoved(from, to);
};

const moveTree = async (
	parts: FileSystemParts,
	from: string,
	{to, exists}: {to: string; exists: boolean},
	open: readonly OpenFile[],
): Promise<void> => {
	await exclusivelyAll(open, async () => {
		await Promise.all(open.map(async file => settle(parts, file)));
		await ensureMarker(parts, parentOf(from));
		const objects = await parts.namespace.listTree(from);
		const moved = await copyTree(parts, objects, from, {to, exists});
		await deleteKeys(
			parts,
			objects.map(object => object.key),
			from,
		);
		for (const file of open) {
			const head = moved.get(file.path);
			if (head === undefined) {
				parts.files.move(file, `${to}${file.path.slice(from.length)}`);
			} else {
				moveOpenFile(parts, file, head);
			}
		}
	});
};

/** Copies every object; on a failure the copies go again, and the old tree is as it was. The copies, by old key. */
const copyTree = async (
	parts: FileSystemParts,
	objects: readonly ListedObject[],
	from: string,
	{to, exists}: {to: string; exists: boolean},
): Promise<Map<string, MovedObject>> => {
	const toKey = (key: string) => `${to}${key.slice(from.length)}`;
	const marker = objects.find(({key}) => key === `${from}/`);
	for (const {key} of objects) {
		assertKeyFits(parts, toKey(key));
	}

	const moved = new Map<string, MovedObject>();
	const tried: string[] = [];
	try {
		await forEachParallel(
			objects.filter(object => object !== marker),
			copiesAtOnceMax,
			async object => {
				tried.push(toKey(object.key));
				const copy = await copyLatest(parts, object, toKey(object.key));
				if (copy !== undefined && parts.files.get(object.key) !== undefined) {
					moved.set(object.key, copy);
				}
			},
		);
		// Last, so that an empty directory that the tree is moved over is as it was until nothing can fail any more.
		if (!exists) {
			tried.push(`${to}/`);
		}

		await (marker === undefined ? ensureMarker(parts, to) : copyLatest(parts, marker, `${to}/`));
		return moved;
	} catch (error) {
		// The caller must get the first failure; a copy that cannot be deleted either only remains as garbage.
		await deleteKeys(parts, tried, 'The tree').catch(() => undefined);
		throw error;
	}
};

const deleteKeys = async (parts: FileSystemParts, keys: readonly string[], directory: string): Promise<void> => {
	for (let start = 0; start < keys.length; start += 1000) {
		const [failure] = await parts.store.deleteMany(keys.slice(start, start + 1000).map(key => ({key})));
		if (failure !== undefined) {
			throw new FsError(
				'EIO',
				`${directory} was copied, but ${failure.key} of the old tree could not be deleted: ${failure.error.message}`,
				{cause: failure.error},
			);
		}
	}
};

const exclusivelyAll = async (files: readonly OpenFile[], task: () => Promise<void>): Promise<void> => {
	const [first, ...rest] = files;
	await (first === undefined ? task() : first.exclusively(async () => exclusivelyAll(rest, task)));
};

const copiesAtOnceMax = 16;
