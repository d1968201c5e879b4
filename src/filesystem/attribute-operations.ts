import {changeAttributes} from './change-attributes.ts';
import type {Target, TimeChange} from './filesystem.ts';
import {type Volume, assertWritable, wallClockNs} from './volume.ts';

export const chmod = async (volume: Volume, target: Target, permissions: number): Promise<void> => {
	await changeAttributes(volume, target, attributes => ({...attributes, permissions}), 'the mode');
};

export const chown = async (
	volume: Volume,
	target: Target,
	owner: {uid?: number | undefined; gid?: number | undefined},
): Promise<void> => {
	await changeAttributes(
		volume,
		target,
		attributes => ({...attributes, uid: owner.uid ?? attributes.uid, gid: owner.gid ?? attributes.gid}),
		'the owner',
	);
};

export const utimens = async (
	volume: Volume,
	target: Target,
	times: {atime: TimeChange; mtime: TimeChange},
): Promise<void> => {
	const now = wallClockNs();
	const pick = (time: TimeChange, old: bigint) => (time === 'omit' ? old : time === 'now' ? now : time);
	if (volume.options.attributes === 'uniform') {
		// The times of a uniform volume are those of the objects: touch and tar must not fail over it.
		assertWritable(volume);
		return;
	}

	await changeAttributes(
		volume,
		target,
		attributes => ({
			...attributes,
			atimeNs: pick(times.atime, attributes.atimeNs),
			mtimeNs: pick(times.mtime, attributes.mtimeNs),
		}),
		'the times',
	);
};
