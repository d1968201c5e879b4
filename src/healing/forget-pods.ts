import {createDeadline} from '../node/deadline.ts';
import {releaseDirectory} from '../node/mounts/immutable-directory.ts';
import {readMountTable, type Mount} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {withPathLock} from '../node/mounts/path-lock.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import {withVolumeLock} from '../node/volumes/volume-lock.ts';
import {
	podsMounted,
	readVolumeState,
	writeVolumeState,
	type PodMount,
	type VolumeState,
} from '../node/volumes/volume-state.ts';

/**
The pods of a state at whose directories nothing is mounted: of mounts that go on, or that were killed on their way.
*/
export const podsUnmounted = (state: VolumeState, table: readonly Mount[]): PodMount[] => {
	const mounted = new Set(podsMounted(state, table));
	return state.pods.filter(pod => !mounted.has(pod));
};

/**
Forgets pods whose mount was killed on its way, and lets the kubelet remove their directories: for a mount that
never succeeded it does not ask the driver to unmount. Under the locks of mounts, so one that goes on is waited for.
*/
export const forgetPods = async (
	volumeId: string,
	pods: readonly PodMount[],
	environment: NodeEnvironment,
): Promise<void> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const deadline = createDeadline(environment.mountTimeoutMs);
	for (const {path} of pods) {
		await withPathLock(path, environment, deadline, async () =>
			withVolumeLock(paths, {what: `the pods of volume ${volumeId}`, deadline}, async () => {
				const state = readVolumeState(paths.stateFile);
				if (state === undefined || !podsUnmounted(state, readMountTable()).some(pod => pod.path === path)) {
					return;
				}

				releaseDirectory(path);
				writeVolumeState(paths.stateFile, {...state, pods: state.pods.filter(pod => pod.path !== path)});
			}),
		);
	}
};
