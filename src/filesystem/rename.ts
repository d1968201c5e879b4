import {FsError} from '../model/fs-error.ts';
import {isWithin, parentOf} from '../model/object-key.ts';
import {ensureMarker} from './ensure-marker.ts';
import {persist} from './file-operations.ts';
import type {MovedObject} from './local-changes.ts';
import {copyLatest, moveOpenFile, settle} from './move-object.ts';
import {assertCreatable, detachOpenFile, settleCopiesOf} from './name-operations.ts';
import type {Node} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {renameDirectory} from './rename-directory.ts';
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

const renameFile = async (
	volume: Volume,
	source: Extract<Node, {kind: 'object'}>,
	to: string,
	target: Node | 'changed' | undefined,
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
