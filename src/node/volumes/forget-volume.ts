import {removeLaunchRecord} from '../launch/launch-record.ts';
import {NodeError} from '../node-error.ts';
import {removeVolumeDirectory, stagingFileCount, type VolumePaths} from './volume-directory.ts';
import {writeVolumeState, type VolumeState} from './volume-state.ts';

/**
Removes what a volume without a daemon and without pods keeps on this node; to be called with its lock held.
Whatever its daemon said, no file that may hold somebody's bytes is ever deleted: the journal stays if anything is
in it, and the answer says so.
*/
export const forgetVolume = (
	state: VolumeState,
	paths: VolumePaths,
	{runDirectory}: {runDirectory: string},
): {isJournalLeft: boolean} => {
	const isJournalLeft = stagingFileCount(paths) > 0;
	if (isJournalLeft) {
		tryToWriteState(paths.stateFile, {...state, daemon: undefined, launch: undefined, pods: []});
	} else {
		// With a journal left, the watch needs it to upload that.
		removeLaunchRecord(runDirectory, state.volumeId);
	}

	removeVolumeDirectory(paths, {keepStaging: isJournalLeft});
	return {isJournalLeft};
};

/** The mount table has the last word on which pods use a volume, so a full disk must not make the end of one fail. */
export const tryToWriteState = (stateFile: string, state: VolumeState): void => {
	try {
		writeVolumeState(stateFile, state);
	} catch (error) {
		if (!(error instanceof NodeError)) {
			throw error;
		}
	}
};
