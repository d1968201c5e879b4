import {toReason} from '../model/error-text.ts';
import {detachTop} from '../node/mounts/bind-mount.ts';
import {askStatus} from '../node/launch/control-client.ts';
import {endDaemon} from '../node/launch/daemon-launcher.ts';
import {createDeadline, type Deadline} from '../node/deadline.ts';
import {mountsAt, readMountTable, type Mount} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {canAnswer, isRunning, type ProcessIdentity} from '../node/host/process-identity.ts';
import {findDaemon} from '../node/calls/volume-daemon.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import {withVolumeLock} from '../node/volumes/volume-lock.ts';
import {
	podsInUse,
	podsMounted,
	readVolumeState,
	type PodMount,
	type VolumeState,
} from '../node/volumes/volume-state.ts';
import {dumpHang} from './dump-hang.ts';
import {belongsToPod, readOtherNamespaces, uncoveredMounts} from '../node/mounts/mount-namespaces.ts';
import {renewPodMount} from '../node/mounts/renew-pod-mount.ts';
import {restartDaemon} from './restart-daemon.ts';

export type HealOutcome =
	/** Nothing was wrong, or nothing that can be healed: no pods, or a mount by hand. */
	| {readonly outcome: 'well'}
	| {
			readonly outcome: 'healed';
			readonly state: VolumeState;
			/** Whose mounts were renewed. */
			readonly pods: readonly PodMount[];
			/** Those of them with a container that still holds the dead mount. */
			readonly restartNeeded: readonly PodMount[];
			readonly wasHung: boolean;
			/** Whether the daemon was started; otherwise only pods' mounts were renewed. */
			readonly isStarted: boolean;
			/** What was written down about the hanging daemon. */
			readonly dump?: string | undefined;
	  }
	/** It cannot be started without the pods' Secret. The dead mounts stay for the kubelet to unmount. */
	| {
			readonly outcome: 'needs pod restart';
			readonly state: VolumeState;
			readonly pods: readonly PodMount[];
			readonly reason: string;
	  };

export type HealSettings = {
	/** This one is ended if it still does not answer. Without it a daemon that lives is left alone. */
	readonly hungDaemon?: ProcessIdentity | undefined;
	/** How long a daemon may take to answer. */
	readonly answerMs?: number;
};

const answerMsDefault = 10_000;
const exitMs = 2000;

/**
Makes a volume of pods work again: a daemon that is gone, or that hangs, is replaced by one with the same options,
which uploads what the journal has; then the mounts of all its pods are renewed. Under the volume's lock, as mount
and unmount. May be ended at any point and called again.
*/
export const healVolume = async (
	volumeId: string,
	environment: NodeEnvironment,
	settings: HealSettings = {},
): Promise<HealOutcome> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const known = readVolumeState(paths.stateFile);
	if (known === undefined || known.kind !== 'pods') {
		return {outcome: 'well'};
	}

	const deadline = createDeadline(environment.mountTimeoutMs);
	return withVolumeLock(paths, {what: `bucket ${known.bucket}`, deadline}, async () =>
		healLocked(volumeId, environment, deadline, settings),
	);
};

const healLocked = async (
	volumeId: string,
	environment: NodeEnvironment,
	deadline: Deadline,
	settings: HealSettings,
): Promise<HealOutcome> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const state = readVolumeState(paths.stateFile);
	if (state === undefined) {
		return {outcome: 'well'};
	}

	const table = readMountTable();
	const pods = podsMounted(state, table);
	const fault = pods.length === 0 ? undefined : await findFault(state, table, environment, {...settings, deadline});
	if (fault === undefined) {
		return {outcome: 'well'};
	}

	const {isHung, isServed} = fault;
	const dump = isHung ? await endHung(state, paths.directory) : undefined;
	const deadDevices = new Set(pods.flatMap(({path}) => mountsAt(table, path).map(({device}) => device)));
	const healed = isServed ? {...state, pods} : await restartDaemon({...state, pods}, environment, deadline);
	if ('obstacle' in healed) {
		return {outcome: 'needs pod restart', state, pods, reason: healed.obstacle};
	}

	await renewAll(pods, paths.mountPoint, volumeId, environment);
	await detachSubPaths(pods, deadDevices, paths.mountPoint);
	for (const device of mountsAt(readMountTable(), paths.mountPoint).map(mount => mount.device)) {
		deadDevices.delete(device);
	}

	const restartNeeded = findHolders(pods, deadDevices);
	return {outcome: 'healed', state: healed, pods, restartNeeded, wasHung: isHung, isStarted: !isServed, dump};
};

type Fault = {
	readonly isHung: boolean;
	/** The daemon is well, and only mounts of pods are not. */
	readonly isServed: boolean;
};

const findFault = async (
	state: VolumeState,
	table: readonly Mount[],
	environment: NodeEnvironment,
	{deadline, ...settings}: HealSettings & {readonly deadline: Deadline},
): Promise<Fault | undefined> => {
	const isHung = await isHanging(state, environment, settings);
	const isServed = !isHung && (await findDaemon(state, environment.stateDirectory, deadline)) !== undefined;
	if (isServed && podsInUse(state, table).length === podsMounted(state, table).length) {
		return undefined;
	}

	const isSlow =
		!isServed &&
		!isHung &&
		state.daemon !== undefined &&
		canAnswer(state.daemon) &&
		mountsAt(table, state.mountPoint).length > 0;
	return isSlow ? undefined : {isHung, isServed}; // Slow to answer: not ours to judge.
};

/** Asks once more, now that nobody else works on the volume. */
const isHanging = async (
	state: VolumeState,
	{stateDirectory}: NodeEnvironment,
	{hungDaemon, answerMs = answerMsDefault}: HealSettings,
): Promise<boolean> => {
	const {daemon} = state;
	if (
		hungDaemon === undefined ||
		daemon === undefined ||
		daemon.pid !== hungDaemon.pid ||
		daemon.startTicks !== hungDaemon.startTicks ||
		!isRunning(daemon)
	) {
		return false;
	}

	const {socket} = volumePaths(stateDirectory, state.volumeId);
	return (await askStatus(socket, createDeadline(answerMs))) === undefined;
};

/** Whether it has ended sees the start of the next one. */
const endHung = async (state: VolumeState, volumeDirectory: string): Promise<string | undefined> => {
	const dump = await dumpHang(state, volumeDirectory);
	const {daemon} = state;
	if (daemon !== undefined) {
		await endDaemon(daemon, state);
	}

	return dump;
};

/** Each pod gets its chance; the first failure is told afterwards, and the rest is tried again. */
const renewAll = async (
	pods: readonly PodMount[],
	source: string,
	volumeId: string,
	environment: NodeEnvironment,
): Promise<void> => {
	let failure: unknown;
	for (const {path: target} of pods) {
		try {
			await renewPodMount({
				source,
				target,
				volumeId,
				environment,
				deadline: createDeadline(environment.mountTimeoutMs),
			});
		} catch (error) {
			failure ??= error;
		}
	}

	if (failure !== undefined) {
		throw new NodeError(`Cannot renew every pod's mount: ${toReason(failure)}`, {cause: failure});
	}
};

/**
Sub-paths that the kubelet has bound for containers of these pods: dead ones are taken away, because the kubelet
makes them anew only where there is none.
*/
const detachSubPaths = async (
	pods: readonly PodMount[],
	deadDevices: ReadonlySet<string>,
	mountPoint: string,
): Promise<void> => {
	const current = mountsAt(readMountTable(), mountPoint).at(-1)?.device;
	for (const {path} of pods) {
		const prefix = path.replace(/\/volumes\/[^/]+\/([^/]+)$/, '/volume-subpaths/$1/');
		const dead = readMountTable().filter(
			mount =>
				prefix !== path && mount.path.startsWith(prefix) && mount.device !== current && deadDevices.has(mount.device),
		);
		for (const mount of dead) {
			await detachTop(mount.path, createDeadline(exitMs));
		}
	}
};

/** The pods with a container in which a dead mount is still what its programs meet. */
const findHolders = (pods: readonly PodMount[], deadDevices: ReadonlySet<string>): PodMount[] => {
	const holders = readOtherNamespaces().filter(({mounts}) => uncoveredMounts(mounts, deadDevices).length > 0);
	return pods.filter(
		({uid}) => uid !== undefined && uid !== '' && holders.some(namespace => belongsToPod(namespace, uid)),
	);
};
