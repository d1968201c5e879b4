import {FsError} from '../model/fs-error.ts';
import {parentOf} from '../model/object-key.ts';
import {ensureMarker} from './ensure-marker.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import {moveOpenFile, settle} from './move-object.ts';
import type {Entry} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {TreeMove} from './tree-move.ts';

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
		await moveTree(parts, from, {to, target}, open);
	} catch (error) {
		parts.changes.treeMayHaveMoved(from, to);
		throw error;
	}

	parts.changes.treeMoved(from, to);
};

const moveTree = async (
	parts: FileSystemParts,
	from: string,
	{to, target}: {to: string; target: Extract<Entry, {kind: 'directory'}> | undefined},
	open: readonly OpenFile[],
): Promise<void> => {
	await exclusivelyAll(open, async () => {
		await Promise.all(open.map(async file => settle(parts, file)));
		await ensureMarker(parts, parentOf(from));
		const move = new TreeMove(parts, from, to);
		await move.copyAll(target);
		await move.removeOld();
		for (const file of open) {
			const head = move.moved.get(file.path);
			if (head === undefined) {
				parts.files.move(file, `${to}${file.path.slice(from.length)}`);
			} else {
				moveOpenFile(parts, file, head);
			}
		}
	});
};

const exclusivelyAll = async (files: readonly OpenFile[], task: () => Promise<void>): Promise<void> => {
	const [first, ...rest] = files;
	await (first === undefined ? task() : first.exclusively(async () => exclusivelyAll(rest, task)));
};
