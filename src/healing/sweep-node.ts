import {existsSync} from 'node:fs';
import {listLaunchRecords, removeLaunchRecord} from '../node/launch/launch-record.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {removeForgottenPathLocks} from '../node/mounts/path-lock.ts';
import {listVolumeIds, volumePaths} from '../node/volumes/volume-directory.ts';
import {sweepVolume} from '../node/volumes/volume-lock.ts';

/**
Removes what killed calls have left and nobody else would remove: directories of volumes without a state, launch
records (which hold credentials) without a volume, lock files of paths. What somebody works on is passed over.
*/
export const sweepNode = async (environment: NodeEnvironment): Promise<void> => {
	const {stateDirectory, runDirectory} = environment;
	for (const volumeId of listVolumeIds(stateDirectory)) {
		const paths = volumePaths(stateDirectory, volumeId);
		if (!existsSync(paths.stateFile)) {
			await sweepVolume(paths);
		}
	}

	for (const volumeId of listLaunchRecords(runDirectory)) {
		// A mount makes the directory long before the record, and an unmount removes it after the record.
		if (!existsSync(volumePaths(stateDirectory, volumeId).directory)) {
			removeLaunchRecord(runDirectory, volumeId);
		}
	}

	await removeForgottenPathLocks(environment);
};
