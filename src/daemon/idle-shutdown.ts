import {createDeadline} from '../node/deadline.ts';
import {forgetVolume} from '../node/volumes/forget-volume.ts';
import {readMountTable} from '../node/mounts/mount-table.ts';
import {leaveOwnCgroup} from '../node/launch/own-cgroup.ts';
import type {VolumePaths} from '../node/volumes/volume-directory.ts';
import {withLock} from '../node/host/file-lock.ts';
import {podsInUse, readVolumeState} from '../node/volumes/volume-state.ts';

export type IdleEndSettings = {
	readonly volumeId: string;
	readonly paths: VolumePaths;
	readonly runDirectory: string;
	/** Uploads what is dirty; rejects when something is left at the end of the time. */
	readonly drain: (timeoutMs: number) => Promise<void>;
	/** Unmounts, and resolves when nothing of the volume is open any more. */
	readonly end: () => Promise<void>;
	readonly onEvent: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};

export type IdleEnd = {
	/** Ends the daemon in so long from now unless a pod uses the volume then; counts instead of what was said before. */
	start(forMs: number): void;
	/** Settles when what is being cleaned up has been; at once when nothing is. */
	cleanedUp(): Promise<void>;
	/** Forgets the end that was planned. */
	close(): void;
};

const drainMs = 60_000;
const lockMs = 120_000;
const retryMs = 1000;

/**
How a daemon ends by itself some time after its last pod: under the lock that mounts and unmounts of the volume
take, so that a mount finds either a daemon that goes on, or none and a clean directory.
*/
export const createIdleEnd = ({volumeId, paths, runDirectory, drain, end, onEvent}: IdleEndSettings): IdleEnd => {
	let timer: NodeJS.Timeout | undefined;
	let ending: Promise<void> | undefined;

	const endIfIdle = async (): Promise<void> => {
		// Before the lock is taken: a mount need not wait for uploads.
		await drain(drainMs).catch((error: unknown) =>
			onEvent('not everything is in S3 at the end of the idle time: the rest stays in the journal', {err: error}),
		);
		await withLock(
			{path: paths.lockFile, what: 'the end of an idle daemon', deadline: createDeadline(lockMs)},
			async () => {
				const state = readVolumeState(paths.stateFile);
				const podCount = state === undefined ? 0 : podsInUse(state, readMountTable()).length;
				if (podCount > 0) {
					onEvent('pods use the volume again: it goes on', {podCount});
					return;
				}

				onEvent('nobody has used the volume for a while: it ends', {});
				ending = end().then(() => {
					if (state?.daemon?.pid === process.pid) {
						forgetVolume(state, paths, {runDirectory});
					}

					leaveOwnCgroup(volumeId);
				});
				await ending;
			},
		);
	};

	const start = (forMs: number): void => {
		clearTimeout(timer);
		timer = setTimeout(() => {
			endIfIdle().catch((error: unknown) => {
				onEvent('the daemon could not end after its idle time: it tries again', {err: error});
				if (ending === undefined) {
					start(Math.max(forMs, retryMs));
				}
			});
		}, forMs);
	};

	return {
		start,
		cleanedUp: async () => ending,
		close: () => clearTimeout(timer),
	};
};
