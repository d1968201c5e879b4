import type {VolumeState} from './volume-state.ts';

/** The volume that is mounted at or above a directory, the nearest one, and what that is called in the volume. */
export const findVolumeAt = (
	states: readonly VolumeState[],
	directory: string,
): {readonly state: VolumeState; readonly path: string} | undefined => {
	let found: {state: VolumeState; mountPoint: string} | undefined;
	for (const state of states) {
		for (const mountPoint of [state.mountPoint, ...state.pods.map(({path}) => path)]) {
			const isAbove = directory === mountPoint || directory.startsWith(`${mountPoint}/`);
			if (isAbove && mountPoint.length > (found?.mountPoint.length ?? 0)) {
				found = {state, mountPoint};
			}
		}
	}

	return found && {state: found.state, path: directory.slice(found.mountPoint.length + 1)};
};
