import {readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {MetricSamples} from '../../model/metric-samples.ts';
import {askMetrics, askStatus} from '../launch/control-client.ts';
import type {DaemonStatus} from '../launch/daemon-protocol.ts';
import {createDeadline} from '../deadline.ts';
import {mountsAt, readMountTable, type Mount} from '../mounts/mount-table.ts';
import {canAnswer} from '../host/process-identity.ts';
import {stagingFileCount, volumePaths} from './volume-directory.ts';
import type {DaemonLaunch} from '../launch/daemon-launch.ts';
import {mountsOfVolume, readAllVolumeStates, type PodMount, type VolumeState} from './volume-state.ts';

/**
- `healthy`: mounted, and the daemon answers.
- `failing`: it answers, but the newest upload or request failed.
- `changing`: its daemon is being started, or uploads what is left before it ends; nothing is mounted.
- `hanging`: the daemon lives and does not answer.
- `dead`: the daemon is gone and its mounts are still there: every use of them fails with ENOTCONN.
- `unmounted`: nothing is mounted; a journal waits for the volume's next mount.
- `gone`: nothing is mounted and nothing waits, as after a reboot.
*/
export type VolumeHealth = 'healthy' | 'failing' | 'changing' | 'hanging' | 'dead' | 'unmounted' | 'gone';

/** Everything that is known of one volume of this node; no secret. */
export type VolumeReport = {
	readonly volumeId: string;
	readonly bucket: string;
	readonly prefix: string;
	/** `pods`: mounted by the kubelet, and healed by the agent. `directory`: mounted by hand. */
	readonly kind?: VolumeState['kind'] | undefined;
	/** Where people use it: the pods' directories, or the one where it was mounted by hand. */
	readonly directories: ReadonlyArray<PodMount & {readonly isMounted: boolean}>;
	readonly health: VolumeHealth;
	/** Bytes that S3 does not have yet; `undefined` when only the journal knows. */
	readonly dirtyBytes?: number | undefined;
	/** Disk space of the unfinished uploads of a volume that no daemon serves. */
	readonly journalBytes: number;
	/** Where bytes are kept that S3 refused for good, for a person to look at. */
	readonly refused?: {readonly directory: string; readonly bytes: number} | undefined;
	readonly daemonPid?: number | undefined;
	/** How the daemon was launched, and the version it runs; known also when it does not answer. */
	readonly launch?: DaemonLaunch | undefined;
	readonly daemon?: DaemonStatus | undefined;
	/** What the daemon counted; absent when it does not answer, or is too old to say. */
	readonly metrics?: MetricSamples | undefined;
};

const statusMs = 2000;

/** Asks every volume of the state directory at once. Takes two seconds at most, whatever hangs. */
export const listVolumes = async (stateDirectory: string): Promise<VolumeReport[]> => {
	const table = readMountTable();
	const states = readAllVolumeStates(stateDirectory).sort(
		(a, b) => a.bucket.localeCompare(b.bucket) || a.volumeId.localeCompare(b.volumeId),
	);
	return Promise.all(states.map(async state => reportVolume(state, stateDirectory, table)));
};

const reportVolume = async (
	state: VolumeState,
	stateDirectory: string,
	table: readonly Mount[],
): Promise<VolumeReport> => {
	const paths = volumePaths(stateDirectory, state.volumeId);
	const deadline = createDeadline(statusMs);
	const [daemon, metrics] = await Promise.all([askStatus(paths.socket, deadline), askMetrics(paths.socket, deadline)]);
	const places: readonly PodMount[] = state.kind === 'directory' ? [{path: state.mountPoint}] : state.pods;
	const isMounted = mountsOfVolume(state, table).length > 0;
	const isMountedAt = (path: string): boolean =>
		state.kind === 'directory' ? isMounted : mountsAt(table, path).length > 0;
	const isDaemonAlive = state.daemon !== undefined && canAnswer(state.daemon);
	const refusedDirectory = join(paths.staging, 'failed');
	const refusedBytes = fileBytes(refusedDirectory);
	const journalBytes = daemon === undefined ? fileBytes(paths.staging) - refusedBytes : 0;
	return {
		volumeId: state.volumeId,
		bucket: state.bucket,
		prefix: state.prefix,
		kind: state.kind,
		directories: places.map(place => ({...place, isMounted: isMountedAt(place.path)})),
		health: toHealth({
			daemon,
			isDaemonAlive,
			isMounted: isMounted || places.some(({path}) => isMountedAt(path)),
			isJournalLeft: stagingFileCount(paths) > 0,
		}),
		dirtyBytes: daemon?.fileSystem.dirtyBytes,
		journalBytes,
		refused: refusedBytes === 0 ? undefined : {directory: refusedDirectory, bytes: refusedBytes},
		launch: state.launch,
		daemonPid: daemon?.pid ?? (isDaemonAlive ? state.daemon?.pid : undefined),
		daemon,
		metrics,
	};
};

const toHealth = ({
	daemon,
	isDaemonAlive,
	isMounted,
	isJournalLeft,
}: {
	daemon: DaemonStatus | undefined;
	isDaemonAlive: boolean;
	isMounted: boolean;
	isJournalLeft: boolean;
}): VolumeHealth => {
	if (isMounted && daemon !== undefined) {
		return daemon.fileSystem.lastError === undefined ? 'healthy' : 'failing';
	}

	if (isDaemonAlive) {
		return isMounted ? 'hanging' : 'changing';
	}

	if (isMounted) {
		return 'dead';
	}

	return isJournalLeft ? 'unmounted' : 'gone';
};

const fileBytes = (directory: string): number => {
	let bytes = 0;
	try {
		for (const entry of readdirSync(directory, {recursive: true, withFileTypes: true})) {
			bytes += entry.isFile() ? (statSync(join(entry.parentPath, entry.name), {throwIfNoEntry: false})?.size ?? 0) : 0;
		}
	} catch {
		// There is none, or it was unmounted while we looked.
	}

	return bytes;
};
