import {toPodName, type CallLogFields} from '../call-log.ts';
import {resolveMountPath} from '../mounts/pod-directory.ts';
import {readAllVolumeStates} from '../volumes/volume-state.ts';

/**
The volume that is at a directory, from the state files; empty when none has it. Only for the log: never
fails.
*/
export const findCallLogFields = (givenPath: string, stateDirectory: string): CallLogFields => {
	try {
		const path = resolveMountPath(givenPath);
		for (const {volumeId, bucket, pods} of readAllVolumeStates(stateDirectory)) {
			const pod = pods.find(candidate => candidate.path === path);
			if (pod !== undefined) {
				return {volume: volumeId, bucket, pod: toPodName(pod)};
			}
		}
	} catch {
		// An unreadable state fails the call itself, which reports it.
	}

	return {};
};
