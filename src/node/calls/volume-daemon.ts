import {rmSync} from 'node:fs';
import {detachMounts, isolateMount} from '../mounts/bind-mount.ts';
import {askStatus, askToEnd} from '../launch/control-client.ts';
import {endDaemon, launchDaemon, whereLogIs, type LaunchSettings} from '../launch/daemon-launcher.ts';
import type {DaemonRequest} from '../launch/daemon-protocol.ts';
import {toDaemonVariables} from '../launch/daemon-variables.ts';
import {createDeadline, waitUntil, type Deadline} from '../deadline.ts';
import {protectDirectory} from '../mounts/immutable-directory.ts';
import {readLaunchRecord, writeLaunchRecord} from '../launch/launch-record.ts';
import {mountsAt, readMountTable} from '../mounts/mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {NodeError} from '../node-error.ts';
import {removeOwnCgroup} from '../launch/own-cgroup.ts';
import {canAnswer, isRunning, readProcessIdentity, wasKilled, type ProcessIdentity} from '../host/process-identity.ts';
import {createVolumeDirectory, volumePaths} from '../volumes/volume-directory.ts';
import type {DaemonLaunch} from '../launch/daemon-launch.ts';
import {mountsOfVolume, type VolumeState} from '../volumes/volume-state.ts';

/** A healthy daemon answers at once; one that is busy for longer than this counts as hanging. */
const statusMs = 10_000;
/** Before it is ended, nobody waits that long: what it has not uploaded is in its journal. */
const stopStatusMs = 3000;
const cleanUpMs = 5000;

/** The daemon that serves a volume right now: it answers on its socket, and its mount is in the mount table. */
export const findDaemon = async (
	state: VolumeState,
	stateDirectory: string,
	deadline: Deadline,
): Promise<ProcessIdentity | undefined> => {
	const {socket} = volumePaths(stateDirectory, state.volumeId);
	const isKilled = state.daemon !== undefined && wasKilled(state.daemon);
	if (isKilled || mountsOfVolume(state, readMountTable()).length === 0) {
		return undefined;
	}

	const status = await askStatus(socket, deadline.within(statusMs));
	return status?.volumeId === state.volumeId ? readProcessIdentity(status.pid) : undefined;
};

/**
Starts the volume's daemon after clearing away what an earlier one left: its process, its dead mount, its socket.
Refuses to kill one that merely does not answer while pods use it: their open files would be lost.
*/
export const startDaemon = async (
	request: DaemonRequest,
	{
		state,
		environment,
		inUse,
		...launch
	}: LaunchSettings & {state: VolumeState; environment: NodeEnvironment; inUse: boolean},
): Promise<ProcessIdentity> => {
	const paths = volumePaths(environment.stateDirectory, request.volumeId);
	const previous = state.daemon;
	if (previous !== undefined && isRunning(previous)) {
		if (inUse && canAnswer(previous) && mountsAt(readMountTable(), request.mountPoint).length > 0) {
			throw new NodeError(
				`The daemon of bucket ${state.bucket} (pid ${previous.pid}) does not answer while other pods use it; see ${whereLogIs(state.launch, environment)}; run "pnx-volume heal", or kill -9 ${previous.pid} and try again`,
			);
		}

		await endPrevious(previous, request, state);
	}

	await detachMounts(request.mountPoint, launch.deadline);
	rmSync(paths.socket, {force: true});
	createVolumeDirectory(paths);
	if (state.kind === 'pods') {
		await protectDirectory(request.mountPoint, launch.deadline);
	}

	try {
		let launched: DaemonLaunch | undefined;
		const identity = await launchDaemon(request, environment, {
			...launch,
			onStarted(daemon, how) {
				launched = how;
				launch.onStarted(daemon, how);
			},
		});
		if (mountsAt(readMountTable(), request.mountPoint).length === 0) {
			await endDaemon(identity, request);
			throw new NodeError(
				`The daemon of bucket ${state.bucket} reported that it is ready, but nothing is mounted; see ${whereLogIs(launched, environment)}`,
			);
		}

		if (state.kind === 'pods') {
			await prepareForPods(request, environment, launch);
		}

		return identity;
	} catch (error) {
		// Its own time: the deadline may be what failed it.
		await detachMounts(request.mountPoint, createDeadline(cleanUpMs));
		throw error;
	}
};

/** Two daemons on one journal would destroy it, so no new one starts while the old one lives. */
const endPrevious = async (
	previous: ProcessIdentity,
	request: DaemonRequest,
	{bucket}: Pick<VolumeState, 'bucket'>,
): Promise<void> => {
	const {isAborted} = await endDaemon(previous, request);
	if (isRunning(previous)) {
		throw new NodeError(
			`The old daemon of bucket ${bucket} (pid ${previous.pid}) does not end on SIGKILL: it waits in the kernel, probably for the disk of ${request.volumeDirectory}${isAborted ? '; programs that waited for its files got an error' : ''}; see dmesg, and restart the node if that disk does not come back`,
		);
	}
};

/** Does for a daemon that serves already what its starter had still to do if it was killed on its way. */
export const completeStart = async (
	request: DaemonRequest,
	environment: NodeEnvironment,
	deadline: Deadline,
): Promise<void> => {
	const mount = mountsAt(readMountTable(), request.mountPoint).at(-1);
	if (
		mount?.peerGroup !== undefined ||
		mount?.masterGroup !== undefined ||
		readLaunchRecord(environment.runDirectory, request.volumeId) === undefined
	) {
		await prepareForPods(request, environment, {deadline});
	}
};

/** What makes bind mounts for pods, and a new daemon after this one's death, possible. */
const prepareForPods = async (
	request: DaemonRequest,
	environment: NodeEnvironment,
	{deadline, starterVariables}: Pick<LaunchSettings, 'deadline' | 'starterVariables'>,
): Promise<void> => {
	await isolateMount(request.mountPoint, deadline);
	const {start, piped} = toDaemonVariables(starterVariables ?? process.env, {
		hasCredentials: request.credentials !== undefined,
		stateDirectory: environment.stateDirectory,
	});
	writeLaunchRecord(environment.runDirectory, request, {...start, ...piped});
};

/**
Ends a volume's daemon, politely if it answers; its mount is gone afterwards. What it has not uploaded, and what S3 has
refused for good, is in the staging directory then.
*/
export const stopDaemon = async (state: VolumeState, stateDirectory: string, deadline: Deadline): Promise<void> => {
	const paths = volumePaths(stateDirectory, state.volumeId);
	const known = state.daemon;
	const isKilled = known !== undefined && wasKilled(known);
	const isListening = !isKilled && (await askStatus(paths.socket, deadline.within(stopStatusMs))) !== undefined;
	const stopped = isListening ? await askToEnd(paths.socket, 'stop', deadline) : {outcome: 'unreachable' as const};
	if (known !== undefined) {
		if (stopped.outcome === 'done') {
			await waitUntil(() => !isRunning(known), deadline.within(cleanUpMs));
		}

		// The journal has what it did not upload.
		await endDaemon(known, state);
	}

	await removeOwnCgroup(state.volumeId);
	if (mountsOfVolume(state, readMountTable()).length > 0) {
		await detachMounts(state.mountPoint, createDeadline(cleanUpMs));
	}

	rmSync(paths.socket, {force: true});
};
