import {FsError, isFsError} from '../model/fs-error.ts';
import {isWithin, parentOf} from '../model/object-key.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {backOff, raceCountMax} from './back-off.ts';
import {ensureMarker} from './ensure-marker.ts';
import {persist} from './file-operations.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {MovedObject} from './local-changes.ts';
import {copyLatest, moveOpenFile, settle} from './move-object.ts';
import {assertCreatable, detachOpenFile, settleCopiesOf} from './name-operations.ts';
import type {Entry} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {renameDirectory} from './rename-directory.ts';

/**
rename(2). A file is copied on the server under its new name, then its old name is deleted: other nodes see the new name
whole or not at all, and for a moment both. A tree is copied whole before the first old key goes, so that a failure or a
crash on the way leaves the old tree as it was.
*/
export const rename = async (
	parts: FileSystemParts,
	from: string,
	to: string,
	options: {noReplace?: boolean; exchange?: boolean; whiteout?: boolean} = {},
): Promise<void> => {
	assertWritable(parts);
	if (options.exchange === true || options.whiteout === true) {
		throw new FsError('EINVAL', 'S3 cannot exchange two names');
	}

	assertCreatable(parts, to);
	if (from === to) {
		if (parts.files.changed(from) === undefined) {
			await parts.namespace.require(from);
		}

		return;
	}

	if (isWithin(to, from)) {
		throw new FsError('EINVAL', `${from} cannot be moved into itself`);
	}

	await parts.locks.run(
		[
			{path: from, isTree: true},
			{path: to, isTree: true},
		],
		async () => {
			for (const file of parts.files.within(from)) {
				await persistForRename(parts, file);
			}

			await settleCopiesOf(parts, key => isWithin(key, from) || key === to);
			const source = await parts.namespace.require(from);
			await parts.namespace.requireParent(to);
			const target = parts.files.changed(to) === undefined ? await parts.namespace.lookup(to) : 'changed';
			if (target !== undefined && options.noReplace === true) {
				throw new FsError('EEXIST', `${to} exists`);
			}

			await (source.kind === 'directory'
				? renameDirectory(parts, from, to, target)
				: renameFile(parts, source, {to, target, isExclusive: options.noReplace === true}));
		},
	);
};

/** S3 must have all bytes of a file before it can copy it. */
const persistForRename = async (parts: FileSystemParts, file: OpenFile): Promise<void> => {
	await persist(parts, file);
	if (file.hasChanges) {
		await parts.uploads.settle(file);
	}
};

type NewName = {
	readonly to: string;
	/** What has it. */
	readonly target: Entry | 'changed' | undefined;
	/** EEXIST when somebody else takes it meanwhile. */
	readonly isExclusive: boolean;
};

const renameFile = async (
	parts: FileSystemParts,
	source: Extract<Entry, {kind: 'object'}>,
	{to, target, isExclusive}: NewName,
): Promise<void> => {
	if (target !== 'changed' && target?.kind === 'directory') {
		throw new FsError('EISDIR', `${to} is a directory`);
	}

	const {path: from} = source;
	const open = parts.files.get(from);
	const move = async () => {
		await settle(parts, open);
		const replaced = parts.files.get(to);
		let moved: MovedObject | undefined;
		try {
			await detachOpenFile(parts, replaced, async () => {
				const replaces = replaced?.base?.etag ?? (target === 'changed' ? undefined : target?.head.etag);
				moved = await copyLatest(parts, source.head, to, {replaces, mayReplaceOthers: !isExclusive});
			});
		} finally {
			parts.changes.mayHaveChanged(to);
		}

		if (moved === undefined) {
			parts.changes.mayHaveChanged(from);
			throw new FsError('ENOENT', `${from} was deleted elsewhere`);
		}

		await ensureMarker(parts, parentOf(from));
		const {last, isOldGone} = await removeMoved(parts, from, moved);
		parts.changes.moved(from, last);
		if (!isOldGone) {
			parts.changes.mayHaveChanged(from);
		}

		moveOpenFile(parts, open, last);
	};

	await (open === undefined ? move() : open.exclusively(move));
};

/**
Deletes the old name. When it has another version by now than the one that was copied, that one is copied as well, and
stays where it is when somebody else has changed the new name, too.
*/
const removeMoved = async (
	parts: FileSystemParts,
	from: string,
	moved: MovedObject,
): Promise<{last: MovedObject; isOldGone: boolean}> => {
	let last = moved;
	for (let attempt = 1; ; attempt++) {
		try {
			await parts.store.delete(from, {ifMatch: last.sourceEtag, marks: last.sourceMarks});
			return {last, isOldGone: true};
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed')) {
				throw error;
			}

			if (attempt >= raceCountMax) {
				throw new FsError('EBUSY', `${from} is changed all the time elsewhere`, {cause: error});
			}
		}

		await backOff(attempt);
		const newer = await copyNewer(parts, from, last.head);
		if (newer === undefined) {
			return {last, isOldGone: false};
		}

		last = newer;
	}
};

/** `undefined` when the old name is gone, or when the copy is not ours any more. */
const copyNewer = async (parts: FileSystemParts, from: string, copy: ObjectHead): Promise<MovedObject | undefined> => {
	const source = await parts.store.head(from);
	try {
		return source && (await copyLatest(parts, source, copy.key, {replaces: copy.etag, mayReplaceOthers: false}));
	} catch (error) {
		if (isFsError(error, 'EEXIST')) {
			return undefined;
		}

		throw error;
	}
};
