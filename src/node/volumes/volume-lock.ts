import {existsSync} from 'node:fs';
import type {Deadline} from '../deadline.ts';
import {tryWithLock, withLock} from '../host/file-lock.ts';
import {readMountTable} from '../mounts/mount-table.ts';
import {removeVolumeDirectory, stagingFileCount, type VolumePaths} from './volume-directory.ts';

/**
Runs `work` while no other process mounts, unmounts, heals or ends this volume; `what` and the errors are those of
`withLock`. Taking the lock makes the volume's directory. When `work` leaves a directory without a volume, it is
removed: a call that has waited while another one ended the volume leaves nothing of it.
*/
export const withVolumeLock = async <Result>(
	paths: VolumePaths,
	{what, deadline}: {what: string; deadline: Deadline},
	work: () => Promise<Result>,
): Promise<Result> => withLock({path: paths.lockFile, what, deadline, cleanUp: () => removeUnknownVolume(paths)}, work);

/**
Removes what killed calls have left of a volume of which nothing is known. Passed over if somebody works on it: then
that one does.
*/
export const sweepVolume = async (paths: VolumePaths): Promise<void> => {
	await tryWithLock({path: paths.lockFile}, async () => removeUnknownVolume(paths));
};

const removeUnknownVolume = (paths: VolumePaths): void => {
	// A state that we cannot read may be that of a newer version.
	if (!existsSync(paths.stateFile) && !readMountTable().some(({path}) => path.startsWith(`${paths.directory}/`))) {
		removeVolumeDirectory(paths, {keepStaging: stagingFileCount(paths) > 0});
	}
};
