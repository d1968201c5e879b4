import {readFileSync} from 'node:fs';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import {isMountOf} from '../mounts/mount-source.ts';
import {mountsAt, type Mount} from '../mounts/mount-table.ts';
import {NodeError} from '../node-error.ts';
import type {DaemonLaunch} from '../launch/daemon-launch.ts';
import {replaceStateFile} from '../host/durable-file.ts';
import type {ProcessIdentity} from '../host/process-identity.ts';
import {listVolumeIds, volumePaths} from './volume-directory.ts';

/** A directory that shows the volume to a pod. */
export type PodMount = {
	readonly path: string;
	readonly uid?: string | undefined;
	readonly name?: string | undefined;
	readonly namespace?: string | undefined;
	readonly volumeName?: string | undefined;
};

/** What `state.json` of a volume remembers; no secret. Written under the volume's lock, readable without it. */
export type VolumeState = {
	readonly formatVersion: 1;
	readonly volumeId: string;
	readonly bucket: string;
	readonly prefix: string;
	/** `pods`: bind mounts for the kubelet. `directory`: mounted by hand right where it is used. */
	readonly kind: 'pods' | 'directory';
	/** Where the FUSE file system is mounted. */
	readonly mountPoint: string;
	readonly daemon?: ProcessIdentity | undefined;
	/** Of `daemon`. Absent for a mount in the foreground of a terminal. */
	readonly launch?: DaemonLaunch | undefined;
	readonly pods: readonly PodMount[];
};

/** `undefined` when there is none, or none that can be understood. */
export const readVolumeState = (stateFile: string): VolumeState | undefined => {
	try {
		const parsed: unknown = JSON.parse(readFileSync(stateFile, 'utf8'));
		return isVolumeState(parsed) ? parsed : undefined;
	} catch (error) {
		if (error instanceof SyntaxError || hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return undefined;
		}

		throw new NodeError(`Cannot read ${stateFile}: ${toReason(error)}`, {cause: error});
	}
};

/** Whether a state file is of a later version of this program, which alone knows what it says. */
export const isNewerState = (stateFile: string): boolean => {
	try {
		const parsed: unknown = JSON.parse(readFileSync(stateFile, 'utf8'));
		return (
			typeof parsed === 'object' &&
			parsed !== null &&
			'formatVersion' in parsed &&
			typeof parsed.formatVersion === 'number' &&
			parsed.formatVersion > 1
		);
	} catch {
		return false; // There is none, or it is damaged: `readVolumeState` tells what cannot be read at all.
	}
};

/**
The pods that the mount table shows with the volume's present mount: what is left to know when the state file is
damaged.
*/
export const podsSeen = (mountPoint: string, table: readonly Mount[]): PodMount[] => {
	const device = mountsAt(table, mountPoint).at(-1)?.device;
	return device === undefined
		? []
		: table
				.filter(mount => mount.device === device)
				.flatMap(({path}) => {
					const [, uid, volumeName] = /\/pods\/([^/]+)\/volumes\/pnx~volume\/([^/]+)$/.exec(path) ?? [];
					return uid === undefined ? [] : [{path, uid, volumeName}];
				});
};

/** Durable before visible: a crash leaves the old state or the new one. */
export const writeVolumeState = (stateFile: string, state: VolumeState): void => {
	try {
		replaceStateFile(stateFile, `${JSON.stringify(state, undefined, '\t')}\n`);
	} catch (error) {
		throw new NodeError(
			`Cannot write ${stateFile}: ${toReason(error)}; make room in the file system of the state directory`,
			{cause: error},
		);
	}
};

export const readAllVolumeStates = (stateDirectory: string): VolumeState[] =>
	listVolumeIds(stateDirectory)
		.map(volumeId => readVolumeState(volumePaths(stateDirectory, volumeId).stateFile))
		.filter(state => state !== undefined);

/**
The mounts of a volume's file system where its daemon makes it, the topmost last. At a directory that was mounted by
hand they may be those of another volume, which has used it since.
*/
export const mountsOfVolume = (
	{kind, mountPoint, volumeId}: Pick<VolumeState, 'kind' | 'mountPoint' | 'volumeId'>,
	table: readonly Mount[],
): Mount[] => mountsAt(table, mountPoint).filter(mount => kind === 'pods' || isMountOf(mount, volumeId));

/**
The pods that see the volume's present mount. Not those whose mount is gone, nor those that hold the dead mount of an
earlier daemon: they have another super block, and their `unmount` concerns no daemon any more.
*/
export const podsInUse = (state: VolumeState, table: readonly Mount[]): PodMount[] => {
	const device = mountsAt(table, state.mountPoint).at(-1)?.device;
	return state.pods.filter(pod => device !== undefined && mountsAt(table, pod.path).at(-1)?.device === device);
};

/**
The pods at whose directories anything is still mounted: those in use, and those that hold a dead mount and wait to
be healed or unmounted.
*/
export const podsMounted = (state: VolumeState, table: readonly Mount[]): PodMount[] =>
	state.pods.filter(pod => mountsAt(table, pod.path).length > 0);

const isVolumeState = (value: unknown): value is VolumeState =>
	typeof value === 'object' &&
	value !== null &&
	'formatVersion' in value &&
	value.formatVersion === 1 &&
	'volumeId' in value &&
	typeof value.volumeId === 'string' &&
	'bucket' in value &&
	typeof value.bucket === 'string' &&
	'prefix' in value &&
	typeof value.prefix === 'string' &&
	'kind' in value &&
	(value.kind === 'pods' || value.kind === 'directory') &&
	'mountPoint' in value &&
	typeof value.mountPoint === 'string' &&
	'pods' in value &&
	Array.isArray(value.pods) &&
	value.pods.every(
		(pod: unknown) => typeof pod === 'object' && pod !== null && 'path' in pod && typeof pod.path === 'string',
	);
