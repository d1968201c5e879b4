import {lstatSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {mountsAt, type Mount} from '../node/mounts/mount-table.ts';
import {listVolumeIds, volumePaths} from '../node/volumes/volume-directory.ts';
import {mountsOfVolume, readVolumeState, type PodMount} from '../node/volumes/volume-state.ts';
import {reach, readNodeMounts, type NodeRoot} from './node-root.ts';

/** A directory of the node where somebody has a volume, in words: `pod web/drupal-1 (/var/lib/kubelet/…)`. */
export type VolumeUser = string;

/** Bytes of a volume that S3 does not have, and nobody serves. */
export type UnfinishedJournal = {readonly directory: string; readonly bucket: string; readonly bytes: number};

/**
A pod's mount of ours as the kernel lists it, where kubelets have their pods: found even when nobody remembers it.
*/
const isPodMount = ({type, path}: Mount): boolean =>
	type === 'fuse.pnx' && /^\/var\/lib\/kubelet\/pods\/[^/]+\/volumes\/pnx~volume\//.test(path);

/**
Who would be hurt if the driver were removed: mounts, and directories of pods whose `unmount` is still to come.
Touches no mount.
*/
export const findVolumeUsers = (root: NodeRoot, stateDirectory: string): VolumeUser[] => {
	const table = readNodeMounts(root);
	const users = new Map<string, VolumeUser>(
		table.filter(mount => isPodMount(mount)).map(({path}) => [path, `a pod (${path})`]),
	);
	const reachedState = reach(root, stateDirectory);
	for (const volumeId of listVolumeIds(reachedState)) {
		const state = readVolumeState(volumePaths(reachedState, volumeId).stateFile);
		if (state?.kind === 'directory' && mountsOfVolume(state, table).length > 0) {
			users.set(state.mountPoint, `a mount by hand (${state.mountPoint})`);
		}

		for (const pod of state?.pods ?? []) {
			if (isThere(root, table, pod)) {
				users.set(
					pod.path,
					pod.name === undefined ? `somebody (${pod.path})` : `pod ${pod.namespace ?? '?'}/${pod.name} (${pod.path})`,
				);
			}
		}
	}

	return [...users.values()];
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
		return readdirSync(directory, {recursive: true, withFileTypes: true})
			.filter(entry => entry.isFile())
			.map(entry => join(entry.parentPath, entry.name));
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return [];
		}

		throw error;
	}
};
