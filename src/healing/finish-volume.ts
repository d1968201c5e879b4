import {readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {askToEnd} from '../node/launch/control-client.ts';
import {createDeadline, type Deadline} from '../node/deadline.ts';
import {releaseDirectory} from '../node/mounts/immutable-directory.ts';
import {removeLaunchRecord} from '../node/launch/launch-record.ts';
import {readMountTable} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {findDaemon, stopDaemon} from '../node/calls/volume-daemon.ts';
import {
	removeVolumeDirectory,
	stagingFileCount,
	volumePaths,
	type VolumePaths,
} from '../node/volumes/volume-directory.ts';
import {withVolumeLock} from '../node/volumes/volume-lock.ts';
import {podsMounted, readVolumeState, writeVolumeState, type VolumeState} from '../node/volumes/volume-state.ts';
import {restartDaemon} from './restart-daemon.ts';

/** `waiting`: bytes wait for somebody with credentials, or for S3; there is nothing to do now. */
export type FinishOutcome = 'in use' | 'uploading' | 'waiting' | 'finished';

export type FinishSettings = {
	/** How long the files of a volume that nobody uses stay for its next mount, which finds its cache warm. */
	readonly keepMs: number;
	readonly drainMs?: number;
};

const drainMsDefault = 30_000;
const stopMs = 10_000;

/**
Ends what is left of a volume whose pods are all gone: a daemon is told to upload and to end; for a journal that no
daemon serves one is started; when nothing waits, the files are removed after a while. Uploads are waited for
without the volume's lock: a pod that comes meanwhile is served.
*/
export const finishVolume = async (
	volumeId: string,
	environment: NodeEnvironment,
	settings: FinishSettings,
): Promise<FinishOutcome> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const known = readVolumeState(paths.stateFile);
	if (known?.kind !== 'pods' || podsMounted(known, readMountTable()).length > 0) {
		return 'in use';
	}

	const drained = await askToEnd(paths.socket, 'drain', createDeadline(settings.drainMs ?? drainMsDefault));
	if (drained.outcome === 'failed' || drained.outcome === 'timeout') {
		return 'waiting';
	}

	const deadline = createDeadline(environment.mountTimeoutMs);
	return withVolumeLock(paths, {what: `bucket ${known.bucket}`, deadline}, async () =>
		finishLocked(volumeId, environment, deadline, settings),
	);
};

const finishLocked = async (
	volumeId: string,
	environment: NodeEnvironment,
	deadline: Deadline,
	{keepMs}: FinishSettings,
): Promise<FinishOutcome> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const state = readVolumeState(paths.stateFile);
	if (state === undefined) {
		return 'finished';
	}

	if (podsMounted(state, readMountTable()).length > 0) {
		return 'in use';
	}

	if ((await findDaemon(state, environment.stateDirectory, deadline)) !== undefined) {
		await stopDaemon(state, environment.stateDirectory, createDeadline(stopMs));
		forgetUsers(state, paths);
	} else if (hasJournal(paths)) {
		const restarted = await restartDaemon({...state, pods: []}, environment, deadline);
		if ('obstacle' in restarted) {
			forgetUsers(state, paths);
			return 'waiting';
		}

		return 'uploading';
	}

	if (hasJournal(paths)) {
		return 'waiting';
	}

	removeLaunchRecord(environment.runDirectory, volumeId);
	forgetUsers(state, paths);
	if (ageMs(paths.stateFile) >= keepMs) {
		removeVolumeDirectory(paths, {keepStaging: stagingFileCount(paths) > 0});
	}

	return 'finished';
};

/**
Also what an older boot has left in the state: its daemon and its pods are gone. Not written when nothing changes,
so that the file's age counts.
*/
const forgetUsers = (state: VolumeState, paths: VolumePaths): void => {
	for (const {path} of state.pods) {
		// The kubelet wants to remove it: after a reboot it may do that without asking the driver.
		releaseDirectory(path);
	}

	if (state.daemon !== undefined || state.pods.length > 0) {
		writeVolumeState(paths.stateFile, {...state, daemon: undefined, launch: undefined, pods: []});
	}
};

/** Whether bytes wait for their upload; not counting what S3 refused for good, which is kept for a person. */
const hasJournal = ({staging}: VolumePaths): boolean => {
	try {
		return readdirSync(staging, {recursive: true, withFileTypes: true}).some(
			entry => entry.isFile() && !`${entry.parentPath}/`.startsWith(join(staging, 'failed/')),
		);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return false;
		}

		throw error;
	}
};

const ageMs = (path: string): number => Date.now() - (statSync(path, {throwIfNoEntry: false})?.mtimeMs ?? 0);
