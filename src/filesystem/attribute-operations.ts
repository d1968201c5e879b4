import {changeAttributes} from './change-attributes.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Target, TimeChange} from './filesystem.ts';
import {wallClockNs} from './wall-clock.ts';

export const chmod = async (parts: FileSystemParts, target: Target, permissions: number): Promise<void> => {
	await changeAttributes(parts, target, attributes => ({...attributes, permissions}), 'the mode');
};

export const chown = async (
	parts: FileSystemParts,
	target: Target,
	owner: {uid?: number | undefined; gid?: number | undefined},
): Promise<void> => {
	await changeAttributes(
		parts,
		target,
		attributes => ({...attributes, uid: owner.uid ?? attributes.uid, gid: owner.gid ?? attributes.gid}),
		'the owner',
	);
};

export const utimens = async (
	parts: FileSystemParts,
	target: Target,
	times: {atime: TimeChange; mtime: TimeChange},
): Promise<void> => {
	const now = wallClockNs();
	const pick = (time: TimeChange, old: bigint) => (time === 'omit' ? old : time === 'now' ? now : time);
	if (parts.options.attributes === 'uniform') {
		// The times of a uniform volume are those of the objects: touch and tar must not fail over it.
		assertWritable(parts);
		return;
	}

	await changeAttributes(
		parts,
		target,
		attributes => ({
			...attributes,
			atimeNs: pick(times.atime, attributes.atimeNs),
			mtimeNs: pick(times.mtime, attributes.mtimeNs),
		}),
		'the times',
	);
};
