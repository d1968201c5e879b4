import {toReason} from '../../model/error-text.ts';
import {formatVolumeOptions} from '../../model/volume-options.ts';
import type {MountOptions} from '../../flexvolume/parse-mount-options.ts';
import {bindMount, detachMounts, isResponding} from '../mounts/bind-mount.ts';
import {whereLogIs} from '../launch/daemon-launcher.ts';
import type {DaemonRequest} from '../launch/daemon-protocol.ts';
import {createDeadline, type Deadline} from '../deadline.ts';
import {protectDirectory, releaseDirectory} from '../mounts/immutable-directory.ts';
import {removeLaunchRecord} from '../launch/launch-record.ts';
import {mountsAt, readMountTable} from '../mounts/mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {NodeError} from '../node-error.ts';
import {withPathLock} from '../mounts/path-lock.ts';
import {preparePodDirectory, removePodDirectory, resolveMountPath} from '../mounts/pod-directory.ts';
import {renewPodMount} from '../mounts/renew-pod-mount.ts';
import {completeStart, findDaemon, startDaemon, stopDaemon} from './volume-daemon.ts';
import {removeVolumeDirectory, stagingFileCount, volumePaths, type VolumePaths} from '../volumes/volume-directory.ts';
import {toVolumeId} from '../volumes/volume-id.ts';
import {withVolumeLock} from '../volumes/volume-lock.ts';
import {
	isNewerState,
	podsInUse,
	podsMounted,
	podsSeen,
	readAllVolumeStates,
	readVolumeState,
	writeVolumeState,
	type PodMount,
	type VolumeState,
} from '../volumes/volume-state.ts';

/** The part of the time-out that is kept for cleaning up after a failure. */
const cleanUpShare = 0.1;
const cleanUpMs = 5000;

/** What one mount works with. */
type MountJob = {
	readonly path: string;
	readonly volumeId: string;
	readonly paths: VolumePaths;
	readonly request: MountOptions;
	readonly environment: NodeEnvironment;
	readonly deadline: Deadline;
};

/**
Shows a volume at a pod's directory, starting its daemon if none serves it yet. When this resolves the file system
answers there; when it rejects, nothing is left of the attempt. Mounting again what is mounted already is a success.
*/
export const mountVolume = async (
	givenPath: string,
	request: MountOptions,
	environment: NodeEnvironment,
): Promise<void> => {
	const deadline = createDeadline(environment.mountTimeoutMs * (1 - cleanUpShare));
	const path = resolveMountPath(givenPath);
	if (path === undefined) {
		throw new NodeError(`Cannot mount at ${givenPath}: its parent directory does not exist`);
	}

	const volumeId = toVolumeId(request);
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const job: MountJob = {path, volumeId, paths, request, environment, deadline};
	await withPathLock(path, environment, deadline, async () =>
		withVolumeLock(paths, {what: `bucket ${request.options.name}`, deadline}, async () => mountLocked(job)),
	);
};

const mountLocked = async (job: MountJob): Promise<void> => {
	const {path, paths, environment, deadline} = job;
	const hadStaging = stagingFileCount(paths) > 0;
	let created = false;
	try {
		const state = readState(job);
		const daemon = await findDaemon(state, environment.stateDirectory, deadline);
		releaseForgotten(paths, state);
		const found = await lookAtPath(job, state, daemon !== undefined);
		if (found === 'mounted') {
			return;
		}

		created = found === 'free' && preparePodDirectory(path).created;
		await serveAndBind(job, {...state, daemon: daemon ?? state.daemon}, {isServed: daemon !== undefined, hadStaging});
	} catch (error) {
		// The kubelet removes the directory after a failure.
		releaseDirectory(path);
		if (created) {
			removePodDirectory(path);
		}

		throw error;
	}
};

/** The state of the volume as it holds now: pods whose mounts are gone (a reboot) no longer count. */
const readState = ({volumeId, paths, request}: MountJob): VolumeState => {
	const known = readVolumeState(paths.stateFile);
	if (known === undefined && isNewerState(paths.stateFile)) {
		throw new NodeError(
			`Cannot mount bucket ${request.options.name}: ${paths.stateFile} was written by a newer version of pnx-volume; install that one again, or unmount the volume with it first`,
		);
	}

	const table = readMountTable();
	return {
		formatVersion: 1,
		volumeId,
		bucket: request.options.name,
		prefix: request.options.prefix,
		kind: 'pods',
		mountPoint: paths.mountPoint,
		daemon: known?.daemon,
		launch: known?.launch,
		pods: known === undefined ? podsSeen(paths.mountPoint, table) : podsMounted(known, table),
	};
};

/** Directories of pods that went while nobody looked, as in a reboot: the kubelet wants to remove them. */
const releaseForgotten = ({stateFile}: VolumePaths, {pods}: VolumeState): void => {
	for (const {path} of readVolumeState(stateFile)?.pods ?? []) {
		if (!pods.some(pod => pod.path === path)) {
			releaseDirectory(path);
		}
	}
};

/**
What is at the path: this volume, alive; a dead mount of it; or nothing. A dead mount of another volume is taken
away; anybody else's is an error.
*/
const lookAtPath = async (
	{path, paths, environment, deadline}: MountJob,
	state: VolumeState,
	isServed: boolean,
): Promise<'mounted' | 'dead' | 'free'> => {
	const table = readMountTable();
	const mount = mountsAt(table, path).at(-1);
	if (mount === undefined) {
		return 'free';
	}

	if (isServed && mountsAt(table, paths.mountPoint).at(-1)?.device === mount.device) {
		if (!state.pods.some(pod => pod.path === path)) {
			writeVolumeState(paths.stateFile, {...state, pods: [...state.pods, {path}]});
		}

		return 'mounted';
	}

	const owner = readAllVolumeStates(environment.stateDirectory).find(candidate =>
		candidate.pods.some(pod => pod.path === path),
	);
	const isLive =
		owner !== undefined &&
		podsInUse(owner, table).some(pod => pod.path === path) &&
		(await findDaemon(owner, environment.stateDirectory, deadline)) !== undefined;
	if (owner === undefined || isLive) {
		throw new NodeError(
			`Cannot mount at ${path}: ${mount.type} (${mount.source}) is mounted there already; unmount it first`,
		);
	}

	if (owner.volumeId === state.volumeId) {
		return 'dead';
	}

	await detachMounts(path, deadline);
	return 'free';
};

const serveAndBind = async (
	job: MountJob,
	state: VolumeState,
	{isServed, hadStaging}: {isServed: boolean; hadStaging: boolean},
): Promise<void> => {
	const {path, paths, request, environment, deadline} = job;
	const others = state.pods.filter(pod => pod.path !== path);
	// The pod is written down before anything is done to its directory: whatever ends us on the way, `unmount` or the
	// watch finds the volume of this path.
	let current: VolumeState = {...state, pods: [...others, toPodMount(path, request)]};
	writeVolumeState(paths.stateFile, current);
	const isProtected = protectDirectory(path, deadline);
	try {
		if (isServed) {
			await completeStart(toDaemonRequest(job), environment, deadline);
		} else {
			const onStarted = (daemon: VolumeState['daemon'], launch: VolumeState['launch']) => {
				current = {...current, daemon, launch};
				writeVolumeState(paths.stateFile, current);
			};

			await startDaemon(toDaemonRequest(job), {
				state,
				environment,
				deadline,
				inUse: podsInUse(state, readMountTable()).some(pod => pod.path !== path),
				onStarted,
			});
		}

		await isProtected;
		if (!(await isResponding(paths.mountPoint, deadline))) {
			throw new NodeError(
				`The file system of bucket ${request.options.name} is mounted at ${paths.mountPoint} but does not answer; see ${whereLogIs(current.launch, environment)}`,
			);
		}

		await renewOthers(job, others);
		// The last step: a kubelet that was restarted meanwhile starts the pod as soon as it sees a mount, which nothing
		// may take away then. When the daemon dies from here on, the watch renews the mount.
		await showToPod(job);
	} catch (error) {
		try {
			await isProtected;
			await undo(job, {...current, pods: others}, hadStaging);
		} catch (undoError) {
			throw new NodeError(`${toReason(error)}; cleaning up failed, too: ${toReason(undoError)}`, {cause: error});
		}

		throw error;
	}
};

/**
Renews the mounts that a dead daemon has left. A failure must not delay this pod: the watch tries again.
*/
const renewOthers = async (
	{volumeId, paths, environment, deadline}: MountJob,
	others: readonly PodMount[],
): Promise<void> => {
	for (const {path: target} of others) {
		try {
			await renewPodMount({source: paths.mountPoint, target, volumeId, environment, deadline});
		} catch (error) {
			if (!(error instanceof NodeError)) {
				throw error;
			}
		}
	}
};

const showToPod = async ({path, volumeId, paths, request, environment, deadline}: MountJob): Promise<void> => {
	if (mountsAt(readMountTable(), path).length > 0) {
		await renewPodMount({source: paths.mountPoint, target: path, volumeId, environment, deadline});
	} else {
		await bindMount({source: paths.mountPoint, target: path, readOnly: request.options.readOnly, deadline});
	}
};

/**
Leaves the node as it was: other pods keep the volume; without any, nothing of it stays but the unfinished journal
that was there before.
*/
const undo = async ({path, paths, environment}: MountJob, state: VolumeState, hadStaging: boolean): Promise<void> => {
	await detachMounts(path, createDeadline(cleanUpMs));
	if (state.pods.length > 0) {
		writeVolumeState(paths.stateFile, state);
		return;
	}

	await stopDaemon(state, environment.stateDirectory, createDeadline(cleanUpMs));
	// No pod wrote anything through the daemon that was just stopped: only an older journal can hold dirty bytes.
	const keepStaging = hadStaging && stagingFileCount(paths) > 0;
	if (keepStaging) {
		writeVolumeState(paths.stateFile, {...state, daemon: undefined});
	}

	if (!keepStaging) {
		removeLaunchRecord(environment.runDirectory, state.volumeId);
	}

	removeVolumeDirectory(paths, {keepStaging});
};

const toPodMount = (path: string, {pod, volumeName}: MountOptions): PodMount => ({path, ...pod, volumeName});

const toDaemonRequest = ({volumeId, paths, request}: MountJob): DaemonRequest => ({
	volumeId,
	options: formatVolumeOptions(request.options),
	credentials: request.credentials,
	fsGroup: request.fsGroup,
	createdFor: {namespace: request.pod.namespace, volume: request.volumeName},
	rule: request.rule,
	mountPoint: paths.mountPoint,
	volumeDirectory: paths.directory,
});
