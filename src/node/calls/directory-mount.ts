import {existsSync, rmSync} from 'node:fs';
import {formatVolumeOptions, type VolumeOptions} from '../../model/volume-options.ts';
import {detachMounts} from '../mounts/bind-mount.ts';
import {endDaemon} from '../launch/daemon-launcher.ts';
import type {DaemonRequest} from '../launch/daemon-protocol.ts';
import {createDeadline, type Deadline} from '../deadline.ts';
import {mountsAt, readMountTable} from '../mounts/mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {NodeError} from '../node-error.ts';
import {preparePodDirectory, resolveMountPath} from '../mounts/pod-directory.ts';
import {canAnswer, readProcessIdentity, type ProcessIdentity} from '../host/process-identity.ts';
import {findDaemon, startDaemon} from './volume-daemon.ts';
import {
	createVolumeDirectory,
	removeVolumeDirectory,
	stagingFileCount,
	volumePaths,
} from '../volumes/volume-directory.ts';
import {toVolumeId} from '../volumes/volume-id.ts';
import {withVolumeLock} from '../volumes/volume-lock.ts';
import {withPathLock} from '../mounts/path-lock.ts';
import type {DaemonLaunch} from '../launch/daemon-launch.ts';
import {
	mountsOfVolume,
	readAllVolumeStates,
	readVolumeState,
	writeVolumeState,
	type VolumeState,
} from '../volumes/volume-state.ts';

/** A volume that is mounted by hand, right at the directory where it is used; `status` and `unmount` find it there. */
export type DirectoryVolume = {
	readonly volumeId: string;
	readonly path: string;
	readonly request: DaemonRequest;
};

const exitLockMs = 100;

/** Mounts with a daemon in the background; resolves when the directory is usable. */
export const mountInBackground = async (
	volume: {options: VolumeOptions; directory: string; isEachOperationLogged: boolean},
	environment: NodeEnvironment,
): Promise<DirectoryVolume> => {
	const deadline = createDeadline(environment.mountTimeoutMs);
	return prepare(volume, environment, deadline, async ({request, state, writeDaemon}) => {
		await startDaemon(request, {
			state,
			environment,
			deadline,
			inUse: false,
			isEachOperationLogged: volume.isEachOperationLogged,
			onStarted: writeDaemon,
		});
	});
};

/** Makes everything ready for this process to mount in `serve`, which resolves when the directory is usable. */
export const mountInForeground = async (
	volume: {options: VolumeOptions; directory: string},
	environment: NodeEnvironment,
	serve: (request: DaemonRequest) => Promise<void>,
): Promise<DirectoryVolume> => {
	const deadline = createDeadline(environment.mountTimeoutMs);
	return prepare(volume, environment, deadline, async ({request, writeDaemon}) => {
		const paths = volumePaths(environment.stateDirectory, request.volumeId);
		rmSync(paths.socket, {force: true});
		createVolumeDirectory(paths);
		writeDaemon(readProcessIdentity(process.pid));
		await serve(request);
	});
};

/**
Removes what a mount of this process kept, after it has unmounted. When an `unmount` of another process ended us,
that one has the lock and does it.
*/
export const forgetForegroundMount = async (
	{volumeId, path}: DirectoryVolume,
	environment: NodeEnvironment,
): Promise<{journal?: string}> => {
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const keepStaging = stagingFileCount(paths) > 0;
	try {
		const deadline = createDeadline(exitLockMs);
		await withPathLock(path, environment, deadline, async () =>
			withVolumeLock(paths, {what: 'the volume', deadline}, async () => {
				const state = readVolumeState(paths.stateFile);
				if (keepStaging && state !== undefined) {
					writeVolumeState(paths.stateFile, {...state, daemon: undefined});
				}

				removeVolumeDirectory(paths, {keepStaging});
			}),
		);
	} catch (error) {
		if (!(error instanceof NodeError)) {
			throw error;
		}
	}

	return keepStaging ? {journal: paths.staging} : {};
};

type Preparation = {
	readonly request: DaemonRequest;
	readonly state: VolumeState;
	/** Writes down who serves the volume. */
	readonly writeDaemon: (daemon: ProcessIdentity | undefined, launch?: DaemonLaunch) => void;
};

const prepare = async (
	{options, directory}: {options: VolumeOptions; directory: string},
	environment: NodeEnvironment,
	deadline: Deadline,
	start: (preparation: Preparation) => Promise<void>,
): Promise<DirectoryVolume> => {
	const path = resolveMountPath(directory);
	if (path === undefined) {
		throw new NodeError(`Cannot mount at ${directory}: the directory does not exist; create it first`);
	}

	const volumeId = toVolumeId({options, directory: path});
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const request: DaemonRequest = {
		volumeId,
		options: formatVolumeOptions(options),
		mountPoint: path,
		volumeDirectory: paths.directory,
	};
	await withPathLock(path, environment, deadline, async () =>
		withVolumeLock(paths, {what: `bucket ${options.name}`, deadline}, async () => {
			const hadStaging = stagingFileCount(paths) > 0;
			let state: VolumeState = {
				formatVersion: 1,
				volumeId,
				bucket: options.name,
				prefix: options.prefix,
				kind: 'directory',
				mountPoint: path,
				daemon: readVolumeState(paths.stateFile)?.daemon,
				pods: [],
			};
			let isFree = false;
			try {
				await makeFree(path, environment, deadline);
				isFree = true;
				await start({
					request,
					state,
					writeDaemon(daemon, launch) {
						state = {...state, daemon, launch};
						writeVolumeState(paths.stateFile, state);
					},
				});
			} catch (error) {
				// Where the directory was not free, this very volume may be what is mounted there.
				if (isFree || readVolumeState(paths.stateFile) === undefined) {
					removeVolumeDirectory(paths, {keepStaging: hadStaging});
				}

				throw error;
			}
		}),
	);
	return {volumeId, path, request};
};

/** Checks that the directory is there, empty, and no mount; takes away a dead mount of ours. */
const makeFree = async (path: string, environment: NodeEnvironment, deadline: Deadline): Promise<void> => {
	const table = readMountTable();
	for (const mount of mountsAt(table, path)) {
		const owners = readAllVolumeStates(environment.stateDirectory).filter(
			state => state.kind === 'directory' && state.mountPoint === path && mountsOfVolume(state, table).includes(mount),
		);
		const daemons = await Promise.all(
			owners.map(async owner => findDaemon(owner, environment.stateDirectory, deadline)),
		);
		const isServed =
			daemons.some(daemon => daemon !== undefined) ||
			owners.some(({daemon}) => daemon !== undefined && canAnswer(daemon));
		if (owners.length === 0 || isServed) {
			throw new NodeError(
				`Cannot mount at ${path}: ${mount.type} (${mount.source}) is mounted there already; unmount it first`,
			);
		}

		for (const owner of owners) {
			// One that was killed may wait for its own mount: it must end before that is taken away.
			await (owner.daemon === undefined ? undefined : endDaemon(owner.daemon, owner));
		}
	}

	await detachMounts(path, deadline);
	if (!existsSync(path)) {
		throw new NodeError(`Cannot mount at ${path}: the directory does not exist; create it first`);
	}

	preparePodDirectory(path);
};
