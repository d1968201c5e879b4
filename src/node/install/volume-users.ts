import {lstatSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {mountsAt, type Mount} from '../mount-table.ts';
import {hasErrorCode} from '../node-error.ts';
import {listVolumeIds, volumePaths} from '../volume-directory.ts';
import {readVolumeState, type PodMount} from '../volume-state.ts';
import {reach, readNodeMounts, type NodeRoot} from './node-root.ts';

/** A directory of the node where somebody has a volume, in words: `pod web/drupal-1 (/var/lib/kubelet/…)`. */
export type VolumeUser = string;

/** Bytes of a volume that S3 does not have, and nobody serves. */
export type UnfinishedJournal = {readonly directory: string; readonly bucket: string; readonly bytes: number};

/** Our file systems, as the kernel lists them. */
const mountType = /^fuse\.pnx\b/;

/** Who would notice if there were no driver any more: mounts, and directories of pods whose `unmount` is still to come. Touches no mount. */
export const findVolumeUsers = (root: NodeRoot, stateDirectory: string): VolumeUser[] => {
	const table = readNodeMounts(root);
	const ours = table.filter(({type}) => mountType.test(type));
	const known = new Map<string, VolumeUser>();
	const reachedState = reach(root, stateDirectory);
	for (const volumeId of listVolumeIds(reachedState)) {
		const state = readVolumeState(volumePaths(reachedState, volumeId).stateFile);
		for (const pod of state?.pods ?? []) {
			if (isThere(root, table, pod)) {
				known.set(pod.path, pod.name === undefined ? `somebody (${pod.path})` : `pod ${pod.namespace ?? '?'}/${pod.name} (${pod.path})`);
			}
		}
	}

	for (const {path, source} of ours) {
		// A volume's own mount is used by nobody when no pod is bound to it.
		if (!known.has(path) && !path.startsWith(`${stateDirectory}/`)) {
			known.set(path, `a mount of ${source} at ${path}`);
		}
	}

	return [...known.values()];
};

/** What would be lost with the state directory. */
export const findUnfinishedJournals = (root: NodeRoot, stateDirectory: string): UnfinishedJournal[] => {
	const reachedState = reach(root, stateDirectory);
	return listVolumeIds(reachedState).flatMap(volumeId => {
		const {staging} = volumePaths(stateDirectory, volumeId);
		const files = listFiles(reach(root, staging));
		const bytes = files.reduce((sum, path) => sum + (statSync(path, {throwIfNoEntry: false})?.size ?? 0), 0);
		const bucket = readVolumeState(volumePaths(reachedState, volumeId).stateFile)?.bucket ?? 'unknown';
		return files.length === 0 ? [] : [{directory: staging, bucket, bytes}];
	});
};

/** Asked of the mount table first: a look at a mount that hangs would not come back. */
const isThere = (root: NodeRoot, table: readonly Mount[], {path}: PodMount): boolean =>
	mountsAt(table, path).length > 0 || lstatSync(reach(root, path), {throwIfNoEntry: false}) !== undefined;

const listFiles = (directory: string): string[] => {
	try {
		return readdirSync(directory, {recursive: true, withFileTypes: true}).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return [];
		}

		throw error;
	}
};
