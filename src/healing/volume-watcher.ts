import {messageOf} from '../model/error-text.ts';
import {formatLogLine} from '../node/call-log.ts';
import {isRunning} from '../node/host/process-identity.ts';
import {mountsAt, type Mount} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import {podsInUse, podsMounted, type PodMount, type VolumeState} from '../node/volumes/volume-state.ts';
import {whereLogIs} from '../node/launch/daemon-launcher.ts';
import {isCrashLoop, nextStartAtMs, noBackOff, noteStart, type BackOff} from './back-off.ts';
import {finishVolume} from './finish-volume.ts';
import {forgetPods, podsUnmounted} from './forget-pods.ts';
import {healVolume} from './heal-volume.ts';
import {MountProbe} from './mount-probe.ts';
import {
	describeCrashLoop,
	describeFailedHealing,
	describeFailing,
	describeKeptBytes,
	describeHealing,
	describeMissingCredentials,
	describeRecovered,
	describeStuckBacklog,
} from './notices.ts';
import type {Notice, WatchedVolume} from './watch-message.ts';

export type WatchSettings = {
	readonly intervalMs: number;
	/** How long a mount and a daemon may take to answer. */
	readonly answerMs: number;
	/** After this many rounds in a row without an answer of the daemon on its socket, it hangs. */
	readonly silentRoundsMax: number;
	/** A volume without pods is finished after this time. */
	readonly unusedMs: number;
	/** The files of a finished volume are kept for this time. */
	readonly keepMs: number;
	/** Uploads that neither progress nor fail for this long cause a notice. */
	readonly stuckMs: number;
};

/** What the watch knows of one volume from one round to the next, and does about it. */
export class VolumeWatcher {
	readonly #probe = new MountProbe();
	readonly #environment: NodeEnvironment;
	readonly #settings: WatchSettings;
	readonly #emit: (notice: Notice) => void;
	#silentRounds = 0;
	#isMountSilent = false;
	#failingRounds = 0;
	/** What was last seen in `failed/`. */
	#keptBytes = 0;
	#unmountedRounds = 0;
	#restartCount = 0;
	#backOff: BackOff = noBackOff;
	#finishing: BackOff = noBackOff;
	#unusedSinceMs: number | undefined;
	#backlog: {readonly text: string; readonly sinceMs: number; readonly isTold: boolean} | undefined;
	/** What was reported about the present problem; each is reported once. */
	#told = '';
	#work: Promise<void> | undefined;

	constructor(environment: NodeEnvironment, settings: WatchSettings, emit: (notice: Notice) => void) {
		this.#environment = environment;
		this.#settings = settings;
		this.#emit = emit;
	}

	/** Healing that goes on. */
	get work(): Promise<void> | undefined {
		return this.#work;
	}

	/** One round; `mayWork` tells whether healing may begin now. */
	async look(
		state: VolumeState,
		report: VolumeReport,
		table: readonly Mount[],
		{mayWork}: {mayWork: () => boolean},
	): Promise<WatchedVolume> {
		const isServed = report.health === 'healthy' || report.health === 'failing';
		const isMounted = mountsAt(table, state.mountPoint).length > 0;
		const probed = isServed ? await this.#probe.ask(state.mountPoint, this.#settings.answerMs) : 'unknown';
		const isHanging = isMounted && report.health === 'hanging';
		// All threads of a good daemon may wait for S3: then its mount is silent, and its socket answers.
		this.#isMountSilent = isMounted && probed === 'silent';
		this.#silentRounds = isHanging ? this.#silentRounds + 1 : 0;
		this.#watchBacklog(state, report);
		this.#watchFailures(state, report);
		this.#watchKeptBytes(state, report);
		if (state.kind === 'pods' && this.#work === undefined && mayWork()) {
			this.#work = this.#decide(state, report, table)?.finally(() => {
				this.#work = undefined;
			});
		}

		return {
			...report,
			health: this.#isMountSilent ? 'failing' : report.health,
			restartCount: this.#restartCount,
			nextAttemptAtMs:
				!isServed && nextStartAtMs(this.#backOff) > Date.now() ? nextStartAtMs(this.#backOff) : undefined,
		};
	}

	#decide(state: VolumeState, report: VolumeReport, table: readonly Mount[]): Promise<void> | undefined {
		const pods = podsMounted(state, table);
		const unmounted = podsUnmounted(state, table);
		this.#unmountedRounds = unmounted.length === 0 ? 0 : this.#unmountedRounds + 1;
		return (
			this.#healWhenNeeded(state, report, table, pods) ??
			// For one round, this may be a mount under way.
			(this.#unmountedRounds >= 2 ? this.#forget(state, unmounted) : undefined) ??
			(pods.length === 0 ? this.#finishWhenUnused(state) : undefined)
		);
	}

	#healWhenNeeded(
		state: VolumeState,
		report: VolumeReport,
		table: readonly Mount[],
		pods: readonly PodMount[],
	): Promise<void> | undefined {
		if (pods.length === 0) {
			return undefined;
		}

		this.#unusedSinceMs = undefined;
		const isHung = this.#silentRounds >= this.#settings.silentRoundsMax;
		const isDead =
			report.health === 'dead' || (report.health === 'hanging' && mountsAt(table, state.mountPoint).length === 0);
		const isStale = podsInUse(state, table).length < pods.length;
		if (
			(isHung || isDead || (isStale && this.#silentRounds === 0 && !this.#isMountSilent)) &&
			nextStartAtMs(this.#backOff) <= Date.now()
		) {
			return this.#heal(state, isHung);
		}

		return undefined;
	}

	async #heal(state: VolumeState, isHung: boolean): Promise<void> {
		const subject = {...state, pods: state.pods};
		try {
			const healing = await healVolume(state.volumeId, this.#environment, {
				hungDaemon: isHung ? state.daemon : undefined,
				answerMs: this.#settings.answerMs,
			});
			this.#silentRounds = 0;
			if (healing.outcome === 'healed') {
				this.#told = '';
				if (healing.isStarted) {
					this.#restartCount++;
					this.#backOff = noteStart(this.#backOff, Date.now());
				}

				describeHealing(healing).forEach(this.#emit);
			} else if (healing.outcome === 'needs pod restart') {
				this.#backOff = noteStart(this.#backOff, Date.now());
				this.#tellOnce(`missing ${state.daemon?.pid} ${state.daemon?.startTicks}`, describeMissingCredentials(healing));
			}
		} catch (error) {
			this.#backOff = noteStart(this.#backOff, Date.now());
			this.#tellOnce('failed', describeFailedHealing(subject, toMessage(error, state.volumeId)));
		}

		if (isCrashLoop(this.#backOff) && !this.#told.startsWith('missing')) {
			this.#tellOnce(
				'crash loop',
				describeCrashLoop(subject, {
					startCount: this.#backOff.startCount,
					nextStartAtMs: nextStartAtMs(this.#backOff),
					logPath: whereLogIs(state.launch, this.#environment),
				}),
			);
		}
	}

	async #forget({volumeId}: VolumeState, pods: readonly PodMount[]): Promise<void> {
		try {
			await forgetPods(volumeId, pods, this.#environment);
			this.#unmountedRounds = 0;
		} catch (error) {
			toMessage(error, volumeId); // A call that goes on for long, or a full disk: the next round tries again.
		}
	}

	#finishWhenUnused(state: VolumeState): Promise<void> | undefined {
		const nowMs = Date.now();
		this.#unusedSinceMs ??= nowMs;
		// One that starts may be about to get its first pod; one that is idle ends by itself.
		const isBusy =
			state.daemon !== undefined &&
			isRunning(state.daemon) &&
			nowMs - this.#unusedSinceMs < Math.max(this.#settings.unusedMs, this.#environment.idleMs * 2);
		return isBusy || nextStartAtMs(this.#finishing) > nowMs ? undefined : this.#finish(state.volumeId);
	}

	async #finish(volumeId: string): Promise<void> {
		try {
			const outcome = await finishVolume(volumeId, this.#environment, {keepMs: this.#settings.keepMs});
			this.#finishing = outcome === 'uploading' ? noBackOff : noteStart(this.#finishing, Date.now());
		} catch (error) {
			// S3 or the network, mostly; nobody uses the volume, so nobody waits.
			toMessage(error, volumeId);
			this.#finishing = noteStart(this.#finishing, Date.now());
		}
	}

	#watchBacklog(state: VolumeState, {daemon}: VolumeReport): void {
		const pending = daemon?.fileSystem.uploadsPending ?? 0;
		if (daemon === undefined || pending === 0 || daemon.fileSystem.lastError !== undefined) {
			this.#backlog = undefined;
			return;
		}

		const {dirtyBytes, uploadsPending} = daemon.fileSystem;
		const text = `${daemon.pid} ${dirtyBytes} ${uploadsPending}`;
		if (this.#backlog?.text !== text) {
			this.#backlog = {text, sinceMs: Date.now(), isTold: false};
		} else if (!this.#backlog.isTold && Date.now() - this.#backlog.sinceMs >= this.#settings.stuckMs) {
			this.#backlog = {...this.#backlog, isTold: true};
			this.#emit(describeStuckBacklog(state, {dirtyBytes, minutes: Math.round(this.#settings.stuckMs / 60_000)}));
		}
	}

	/** Two rounds, because one failure is what retries are for. */
	#watchFailures(state: VolumeState, report: VolumeReport): void {
		if (report.health === 'failing') {
			this.#failingRounds++;
			if (this.#failingRounds === 2) {
				this.#emit(describeFailing(state, report.daemon?.fileSystem.lastError?.message ?? 'no reason is known'));
			}
		} else if (report.health === 'healthy') {
			if (this.#failingRounds >= 2) {
				this.#emit(describeRecovered(state));
			}

			this.#failingRounds = 0;
		}
	}

	#watchKeptBytes(state: VolumeState, {refused}: VolumeReport): void {
		if (refused !== undefined && refused.bytes > this.#keptBytes) {
			this.#emit(describeKeptBytes(state, refused));
		}

		this.#keptBytes = refused?.bytes ?? 0;
	}

	#tellOnce(what: string, notice: Notice): void {
		if (this.#told !== what) {
			this.#told = what;
			this.#emit(notice);
		}
	}
}

/**
A mistake of ours must not end the watch of all the other volumes: it goes to stderr, whole, in the format of all
logs.
*/
const toMessage = (error: unknown, volumeId: string): string => {
	if (!(error instanceof NodeError)) {
		process.stderr.write(
			formatLogLine('error', {volume: volumeId, err: toPlainError(error), msg: 'a bug in the watch of this volume'}),
		);
	}

	return messageOf(error);
};

const toPlainError = (error: unknown): object =>
	error instanceof Error ? {type: error.name, message: error.message, stack: error.stack} : {message: String(error)};
