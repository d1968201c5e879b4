import {FsError} from '../model/fs-error.ts';
import {isWithin, parentOf} from '../model/object-key.ts';
import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import {partBytesMax} from '../model/upload-plan.ts';
import {copyObject} from '../staging/server-side-copy.ts';
import type {ListedObject, ObjectHead} from '../store/object-store.ts';
import {readAttributes} from './attributes.ts';
import {ensureMarker} from './ensure-marker.ts';
import {persist} from './file-operations.ts';
import type {MovedObject} from './local-changes.ts';
import {assertCreatable, assertKeyFits, detachOpenFile, settleCopiesOf} from './name-operations.ts';
import type {Node} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {type Volume, assertWritable} from './volume.ts';

/**
rename(2). A file is copied on the server under its new name, then its old name is deleted: other nodes see the new name
whole or not at all, and for a moment both. A tree is copied whole before the first old key goes, so that a failure or a
crash on the way leaves the old tree as it was.
*/
export const rename = async (
	volume: Volume,
	from: string,
	to: string,
	options: {noReplace?: boolean; exchange?: boolean; whiteout?: boolean} = {},
): Promise<void> => {
	assertWritable(volume);
	if (options.exchange === true || options.whiteout === true) {
		throw new FsError('EINVAL', 'S3 cannot exchange two names');
	}

	assertCreatable(volume, to);
	if (from === to) {
		if (volume.files.changed(from) === undefined) {
			await volume.namespace.require(from);
		}

		return;
	}

	if (isWithin(to, from)) {
		throw new FsError('EINVAL', `${from} cannot be moved into itself`);
	}

	await volume.locks.run(
		[
			{path: from, isTree: true},
			{path: to, isTree: true},
		],
		async () => {
			for (const file of volume.files.within(from)) {
				await persistForRename(volume, file);
			}

			await settleCopiesOf(volume, key => isWithin(key, from) || key === to);
			const source = await volume.namespace.require(from);
			await volume.namespace.requireParent(to);
			const target = volume.files.changed(to) === undefined ? await volume.namespace.lookup(to) : 'changed';
			if (target !== undefined && options.noReplace === true) {
				throw new FsError('EEXIST', `${to} exists`);
			}

			await (source.kind === 'directory'
				? renameDirectory(volume, from, to, target)
				: renameFile(volume, source, to, target));
		},
	);
};

/** S3 must have all bytes of a file before it can copy it. */
const persistForRename = async (volume: Volume, file: OpenFile): Promise<void> => {
	await persist(volume, file);
	if (file.hasChanges) {
		await volume.uploads.settle(file);
	}
};

type Target = Node | 'changed' | undefined;

const renameFile = async (
	volume: Volume,
	source: Extract<Node, {kind: 'object'}>,
	to: string,
	target: Target,
): Promise<void> => {
	if (target !== 'changed' && target?.kind === 'directory') {
		throw new FsError('EISDIR', `${to} is a directory`);
	}

	const {path: from} = source;
	const open = volume.files.get(from);
	const move = async () => {
		await settle(volume, open);
		let moved: MovedObject | undefined;
		await detachOpenFile(volume, volume.files.get(to), async () => {
			moved = await copyLatest(volume, source.head, to);
		});
		volume.changes.mayHaveChanged(to);
		if (moved === undefined) {
			volume.changes.mayHaveChanged(from);
			throw new FsError('ENOENT', `${from} was deleted elsewhere`);
		}

		await ensureMarker(volume, parentOf(from));
		await volume.store.delete(from);
		volume.changes.moved(from, moved);
		moveOpenFile(volume, open, moved);
	};

	await (open === undefined ? move() : open.exclusively(move));
};

/** No upload of a file is on its way. To be called exclusively, so that none is sealed meanwhile. */
const settle = async (volume: Volume, file: OpenFile | undefined): Promise<void> => {
	if (file?.oldestSealed !== undefined) {
		await volume.uploads.settle(file);
	}
};

const moveOpenFile = (volume: Volume, file: OpenFile | undefined, {head, sourceEtag}: MovedObject): void => {
	if (file !== undefined) {
		const isOther = file.base?.etag !== sourceEtag;
		if (isOther) {
			// It was changed elsewhere since it was opened: its handles keep the version that they opened.
			file.generation++;
		}

		if (!isOther || !file.hasChanges) {
			file.replaceBase(head, file.hasChanges ? file.attributes : readAttributes(head, head.metadata, volume.defaults));
		}

		volume.files.move(file, head.key);
		volume.files.collect(file);
	}
};

/** Copies an object as it is now; `undefined` when it is gone. */
const copyLatest = async (
	volume: Volume,
	known: ObjectHead | ListedObject,
	to: string,
): Promise<MovedObject | undefined> => {
	let source: ObjectHead | ListedObject = known;
	for (let attempt = 1; ; attempt++) {
		const isWhole = 'metadata' in source;
		if (!isWhole && (source.sizeBytes > partBytesMax || volume.files.get(source.key) !== undefined)) {
			const head: ObjectHead | undefined = await volume.store.head(source.key);
			if (head === undefined) {
				return undefined;
			}

			source = head;
		}

		try {
			const copied = await copyObject(volume.store, {metadata: {}, ...source}, to);
			return {
				head: {metadata: {}, ...source, key: to, lastModifiedMs: Date.now(), versionId: undefined, ...copied},
				sourceEtag: source.etag,
			};
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= 4) {
				throw error;
			}

			const head: ObjectHead | undefined = await volume.store.head(source.key);
			if (head === undefined) {
				return undefined;
			}

			source = head;
		}
	}
};

const renameDirectory = async (volume: Volume, from: string, to: string, target: Target): Promise<void> => {
	if (target === 'changed' || target?.kind === 'object') {
		throw new FsError('ENOTDIR', `${to} is not a directory`);
	}

	if (target !== undefined && (volume.files.hasChangedWithin(to) || !(await volume.namespace.isEmpty(to)))) {
		throw new FsError('ENOTEMPTY', `${to} is not empty`);
	}

	const open = volume.files.within(from);
	try {
		await moveTree(volume, from, {to, exists: target !== undefined}, open);
	} catch (error) {
		volume.changes.treeMayHaveMoved(from, to);
		throw error;
	}

	volume.changes.treeMoved(from, to);
};

const moveTree = async (
	volume: Volume,
	from: string,
	{to, exists}: {to: string; exists: boolean},
	open: readonly OpenFile[],
): Promise<void> => {
	await exclusivelyAll(open, async () => {
		await Promise.all(open.map(async file => settle(volume, file)));
		await ensureMarker(volume, parentOf(from));
		const objects = await volume.namespace.listTree(from);
		const moved = await copyTree(volume, objects, from, {to, exists});
		await deleteKeys(
			volume,
			objects.map(object => object.key),
			from,
		);
		for (const file of open) {
			const head = moved.get(file.path);
			if (head === undefined) {
				volume.files.move(file, `${to}${file.path.slice(from.length)}`);
			} else {
				moveOpenFile(volume, file, head);
			}
		}
	});
};

/** Copies every object; on a failure the copies go again, and the old tree is as it was. The copies, by old key. */
const copyTree = async (
	volume: Volume,
	objects: readonly ListedObject[],
	from: string,
	{to, exists}: {to: string; exists: boolean},
): Promise<Map<string, MovedObject>> => {
	const toKey = (key: string) => `${to}${key.slice(from.length)}`;
	const marker = objects.find(({key}) => key === `${from}/`);
	for (const {key} of objects) {
		assertKeyFits(volume, toKey(key));
	}

	const moved = new Map<string, MovedObject>();
	const tried: string[] = [];
	try {
		await forEachParallel(
			objects.filter(object => object !== marker),
			copiesAtOnceMax,
			async object => {
				tried.push(toKey(object.key));
				const copy = await copyLatest(volume, object, toKey(object.key));
				if (copy !== undefined && volume.files.get(object.key) !== undefined) {
					moved.set(object.key, copy);
				}
			},
		);
		// Last, so that an empty directory that the tree is moved over is as it was until nothing can fail any more.
		if (!exists) {
			tried.push(`${to}/`);
		}

		await (marker === undefined ? ensureMarker(volume, to) : copyLatest(volume, marker, `${to}/`));
		return moved;
	} catch (error) {
		// What failed is what the caller must hear of; a copy that cannot be deleted either is only one too many.
		await deleteKeys(volume, tried, 'The tree').catch(() => undefined);
		throw error;
	}
};

const deleteKeys = async (volume: Volume, keys: readonly string[], directory: string): Promise<void> => {
	for (let start = 0; start < keys.length; start += 1000) {
		const [failure] = await volume.store.deleteMany(keys.slice(start, start + 1000));
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
