import {setTimeout as delay} from 'node:timers/promises';
import {formatBytes} from '../../model/byte-size.ts';
import {detachMounts} from '../mounts/bind-mount.ts';
import {askStatus, askToEnd, askToLinger, type ControlOutcome, type Progress} from '../launch/control-client.ts';
import {createDeadline, type Deadline} from '../deadline.ts';
import {forgetVolume, tryToWriteState} from '../volumes/forget-volume.ts';
import {releaseDirectory} from '../mounts/immutable-directory.ts';
import {mountsAt, readMountTable, type Mount} from '../mounts/mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {NodeError} from '../node-error.ts';
import {withPathLock} from '../mounts/path-lock.ts';
import {resolveMountPath} from '../mounts/pod-directory.ts';
import {canAnswer, wasKilled} from '../host/process-identity.ts';
import {stopDaemon} from './volume-daemon.ts';
import {stagingFileCount, volumePaths} from '../volumes/volume-directory.ts';
import {withVolumeLock} from '../volumes/volume-lock.ts';
import {
	mountsOfVolume,
	podsInUse,
	podsMounted,
	readAllVolumeStates,
	readVolumeState,
	type VolumeState,
} from '../volumes/volume-state.ts';

export type UnmountSettings = {
	/** Called while dirty bytes are uploaded. */
	readonly onProgress?: (progress: Progress) => void;
	/** Detach although uploads are unfinished; they stay in the journal on this node. */
	readonly force?: boolean;
};

export type UnmountResult = {
	/** False: nothing was mounted there. */
	readonly wasMounted: boolean;
	/**
	Set when bytes that S3 may lack stay in this directory: unfinished uploads for the volume's next daemon, and what
	S3 refused.
	*/
	readonly journal?: string | undefined;
};

/** While other pods keep the daemon, theirs are uploads to wait for, too: only for so long. */
const sharedDrainMs = 30_000;
/** How long a daemon may give no answer before it counts as hanging. */
const deafMs = 10_000;
const reasonMs = 2000;
const lockMs = 120_000;
const detachMs = 30_000;
const stopMs = 60_000;
const forcedStopMs = 3000;
const idleStatusMs = 3000;

/**
Takes a volume away from a directory: uploads what is dirty, detaches every mount there, and ends the daemon when
nobody else uses it. Success also when nothing is mounted, or when the daemon is dead (what it had not uploaded stays
in its journal). Rejects, with everything still in place, when the uploads do not end in time: the caller tries again.
Never looks at the directory itself, which may be dead or hanging.
*/
export const unmountVolume = async (
	givenPath: string,
	environment: NodeEnvironment,
	settings: UnmountSettings = {},
): Promise<UnmountResult> => {
	const path = resolveMountPath(givenPath);
	if (path === undefined) {
		return {wasMounted: false};
	}

	return withPathLock(path, environment, createDeadline(lockMs), async () => {
		const result = await unmountLocked(path, environment, settings);
		// Also where nothing is known of the path: the kubelet removes the directory now.
		releaseDirectory(path);
		return result;
	});
};

const unmountLocked = async (
	path: string,
	environment: NodeEnvironment,
	settings: UnmountSettings,
): Promise<UnmountResult> => {
	const table = readMountTable();
	const owner = findOwner(path, table, environment.stateDirectory);
	if (owner === undefined) {
		const wasMounted = mountsAt(table, path).length > 0;
		await detachMounts(path, createDeadline(detachMs));
		return {wasMounted};
	}

	await drain(owner, path, environment, settings);
	const paths = volumePaths(environment.stateDirectory, owner.volumeId);
	return withVolumeLock(paths, {what: `bucket ${owner.bucket}`, deadline: createDeadline(lockMs)}, async () =>
		detachLocked(owner.volumeId, path, environment, settings),
	);
};

/** The volume that is mounted there now; otherwise the one that was, so that its state is corrected. */
const findOwner = (path: string, table: readonly Mount[], stateDirectory: string): VolumeState | undefined => {
	const states = readAllVolumeStates(stateDirectory);
	const inner = states.find(state => state.kind === 'pods' && state.mountPoint === path);
	if (inner !== undefined) {
		throw new NodeError(
			`Cannot unmount ${path}: it carries the mounts of the pods that use bucket ${inner.bucket}; unmount the directories of these pods instead`,
		);
	}

	const mount = mountsAt(table, path).at(-1);
	const mounted = states.find(state =>
		state.kind === 'directory'
			? state.mountPoint === path && mount !== undefined && mountsOfVolume(state, table).includes(mount)
			: podsInUse(state, table).some(pod => pod.path === path),
	);
	return (
		mounted ??
		states.find(state =>
			state.kind === 'directory'
				? state.mountPoint === path && mount === undefined
				: state.pods.some(pod => pod.path === path),
		)
	);
};

/**
Has everything uploaded before anything is detached, without the volume's lock: other pods may come and go
meanwhile.
*/
const drain = async (
	owner: VolumeState,
	path: string,
	environment: NodeEnvironment,
	settings: UnmountSettings,
): Promise<void> => {
	const isShared = podsInUse(owner, readMountTable()).some(pod => pod.path !== path);
	const timeoutMs = isShared ? Math.min(sharedDrainMs, environment.drainTimeoutMs) : environment.drainTimeoutMs;
	const drained = await askToDrain(owner, environment.stateDirectory, createDeadline(timeoutMs), settings);
	if (drained.outcome === 'done' || drained.outcome === 'unreachable' || isShared || settings.force === true) {
		return;
	}

	const reason =
		(await reasonOf(owner, environment.stateDirectory)) ??
		(drained.outcome === 'failed' ? drained.message : `not everything was uploaded within ${timeoutMs / 1000} s`);
	throw new NodeError(
		`Cannot unmount ${path} yet: ${formatBytes(drained.dirtyBytes)} of bucket ${owner.bucket} are not in S3: ${reason}. It stays mounted and keeps trying; to unmount it now, run "pnx-volume unmount --force" (the bytes stay in the journal on this node)`,
	);
};

/** What went wrong with the newest upload; says more than that the time was up. */
const reasonOf = async (owner: VolumeState, stateDirectory: string): Promise<string | undefined> => {
	const status = await askStatus(volumePaths(stateDirectory, owner.volumeId).socket, createDeadline(reasonMs));
	return status?.fileSystem.lastError?.message;
};

/** A daemon that lives but does not answer gets a while before it is taken for a hanging one. */
const askToDrain = async (
	owner: VolumeState,
	stateDirectory: string,
	deadline: Deadline,
	{onProgress}: UnmountSettings,
): Promise<ControlOutcome> => {
	const {socket} = volumePaths(stateDirectory, owner.volumeId);
	if (owner.daemon !== undefined && wasKilled(owner.daemon)) {
		return {outcome: 'unreachable'};
	}

	const deafUntil = deadline.within(deafMs);
	for (;;) {
		if ((await askStatus(socket, deafUntil)) !== undefined) {
			return askToEnd(socket, 'drain', deadline, onProgress);
		}

		const isAlive = owner.daemon !== undefined && canAnswer(owner.daemon);
		if (!isAlive || deafUntil.remainingMs() === 0) {
			return {outcome: 'unreachable'};
		}

		await delay(Math.min(200, deafUntil.remainingMs()));
	}
};

const detachLocked = async (
	volumeId: string,
	path: string,
	environment: NodeEnvironment,
	{force}: UnmountSettings,
): Promise<UnmountResult> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const state = readVolumeState(paths.stateFile);
	const table = readMountTable();
	const wasMounted = mountsAt(table, path).length > 0;
	if (state === undefined) {
		await detachMounts(path, createDeadline(detachMs));
		return {wasMounted};
	}

	for (const pod of state.pods.filter(candidate => mountsAt(table, candidate.path).length === 0)) {
		// Of a mount that was killed on its way, or of another boot: the kubelet may remove it without asking us.
		releaseDirectory(pod.path);
	}

	if (state.kind === 'pods') {
		// Those with a dead mount count as well: they wait to be healed.
		const others = podsMounted(state, table).filter(pod => pod.path !== path);
		await detachMounts(path, createDeadline(detachMs));
		if (others.length > 0) {
			tryToWriteState(paths.stateFile, {...state, pods: others});
			return {wasMounted};
		}
	}

	if (state.kind === 'pods' && force !== true && environment.idleMs > 0 && (await leaveIdle(state, environment))) {
		tryToWriteState(paths.stateFile, {...state, pods: []});
		return {wasMounted, journal: stagingFileCount(paths) > 0 ? paths.staging : undefined};
	}

	await stopDaemon(state, environment.stateDirectory, createDeadline(force === true ? forcedStopMs : stopMs));
	const {isJournalLeft} = forgetVolume(state, paths, environment);
	return {wasMounted, journal: isJournalLeft ? paths.staging : undefined};
};

/**
Has the daemon stay for a while without pods: one that comes back finds it, and the cache. Whether it does; a dead
one does not, nor one of a version that does not know how. What was written after the first drain is uploaded now;
what cannot be, it goes on trying.
*/
const leaveIdle = async (state: VolumeState, {stateDirectory, idleMs}: NodeEnvironment): Promise<boolean> => {
	const {socket} = volumePaths(stateDirectory, state.volumeId);
	if (
		mountsAt(readMountTable(), state.mountPoint).length === 0 ||
		(await askStatus(socket, createDeadline(idleStatusMs))) === undefined
	) {
		return false;
	}

	await askToEnd(socket, 'drain', createDeadline(stopMs));
	return askToLinger(socket, idleMs, createDeadline(idleStatusMs));
};
