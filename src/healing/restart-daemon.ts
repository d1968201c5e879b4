import {startDaemon} from '../node/calls/volume-daemon.ts';
import type {Deadline} from '../node/deadline.ts';
import {readLaunchRecord, type LaunchRecord} from '../node/launch/launch-record.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import {writeVolumeState, type VolumeState} from '../node/volumes/volume-state.ts';

/**
Starts a volume's daemon as it was started before. Gives the state with the new daemon in it, or says why there cannot
be one without the pods' Secret.
*/
export const restartDaemon = async (
	state: VolumeState,
	environment: NodeEnvironment,
	deadline: Deadline,
): Promise<VolumeState | {readonly obstacle: string}> => {
	const {volumeId} = state;
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const record = readLaunchRecord(environment.runDirectory, volumeId);
	if (record === undefined || record.credentials === 'missing') {
		return {obstacle: toObstacle(record, environment)};
	}

	let current = state;
	await startDaemon(
		{...record.request, mountPoint: paths.mountPoint, volumeDirectory: paths.directory},
		{
			state,
			environment,
			deadline,
			inUse: false,
			starterVariables: record.variables,
			onStarted(daemon, launch) {
				current = {...current, daemon, launch};
				writeVolumeState(paths.stateFile, current);
			},
		},
	);
	return current;
};

const toObstacle = (record: LaunchRecord | undefined, {runDirectory}: NodeEnvironment): string =>
	record === undefined
		? `${runDirectory} has no record of how its daemon was started`
		: `its credentials were not kept, because ${runDirectory} is not in memory (tmpfs)`;
