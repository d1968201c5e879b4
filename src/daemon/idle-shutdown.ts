import {createDeadline} from '../node/deadline.ts';
import {leaveOwnCgroup} from '../node/launch/own-cgroup.ts';
import {readMountTable} from '../node/mounts/mount-table.ts';
import {forgetVolume} from '../node/volumes/forget-volume.ts';
import type {VolumePaths} from '../node/volumes/volume-directory.ts';
import {withVolumeLock} from '../node/volumes/volume-lock.ts';
import {podsInUse, readVolumeState} from '../node/volumes/volume-state.ts';

export type IdleShutdownSettings = {
	readonly volumeId: string;
	readonly paths: VolumePaths;
	readonly runDirectory: string;
	/** Uploads what is dirty; rejects when something is left at the end of the time. */
	readonly drain: (timeoutMs: number) => Promise<void>;
	/** Unmounts, and resolves when nothing of the volume is open any more. */
	readonly end: () => Promise<void>;
	readonly onEvent: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};

const drainMs = 60_000;
const lockMs = 120_000;
const retryMs = 1000;

/**
How a daemon ends by itself some time after its last pod: under the lock that mounts and unmounts of the volume
take, so that a mount finds either a daemon that goes on, or none and a clean directory.
*/
export class IdleShutdown {
	readonly #settings: IdleShutdownSettings;
	#timer: NodeJS.Timeout | undefined;
	#ending: Promise<void> | undefined;

	constructor(settings: IdleShutdownSettings) {
		this.#settings = settings;
	}

	/** Ends the daemon after this time unless a pod uses the volume then. The latest request wins. */
	start(forMs: number): void {
		const {onEvent} = this.#settings;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.#endIfIdle().catch((error: unknown) => {
				onEvent('the idle daemon could not stop; it tries again', {err: error});
				if (this.#ending === undefined) {
					this.start(Math.max(forMs, retryMs));
				}
			});
		}, forMs);
	}

	/** Settles when what is being cleaned up has been; at once when nothing is. */
	async cleanedUp(): Promise<void> {
		return this.#ending;
	}

	/** Forgets the end that was planned. */
	close(): void {
		clearTimeout(this.#timer);
	}

	async #endIfIdle(): Promise<void> {
		const {paths, drain, onEvent} = this.#settings;
		// Before the lock is taken: a mount need not wait for uploads.
		await drain(drainMs).catch((error: unknown) =>
			onEvent('not everything is in S3 when the idle daemon stops: the rest stays in the journal', {err: error}),
		);
		await withVolumeLock(paths, {what: 'the end of an idle daemon', deadline: createDeadline(lockMs)}, async () =>
			this.#endLocked(),
		);
	}

	async #endLocked(): Promise<void> {
		const {volumeId, paths, runDirectory, end, onEvent} = this.#settings;
		const state = readVolumeState(paths.stateFile);
		const podCount = state === undefined ? 0 : podsInUse(state, readMountTable()).length;
		if (podCount > 0) {
			onEvent('pods use the volume again: the daemon keeps running', {podCount});
			return;
		}

		onEvent('no pod has used the volume for a while: the daemon stops', {});
		this.#ending = end().then(() => {
			if (state?.daemon?.pid === process.pid) {
				forgetVolume(state, paths, {runDirectory});
			}

			leaveOwnCgroup(volumeId);
		});
		await this.#ending;
	}
}
