import {mkdirSync, readdirSync, rmdirSync, rmSync, type Dirent} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import {releaseDirectory} from '../mounts/immutable-directory.ts';
import {readMountTable} from '../mounts/mount-table.ts';
import {NodeError} from '../node-error.ts';

/** Where one volume keeps its things on this node. */
export type VolumePaths = {
	readonly directory: string;
	readonly stateFile: string;
	readonly lockFile: string;
	readonly socket: string;
	/** Where the daemon mounts; each pod gets a bind mount of it. */
	readonly mountPoint: string;
	/** Dirty bytes and their journal: what must outlive a daemon. */
	readonly staging: string;
	readonly cache: string;
};

/** sun_path of unix(7) holds 108 bytes with the NUL at its end. */
const socketPathBytesMax = 107;

export const volumePaths = (stateDirectory: string, volumeId: string): VolumePaths =>
	volumePathsIn(join(stateDirectory, 'volumes', volumeId));

/** The same, for a daemon: it is told the directory of its volume. */
export const volumePathsIn = (directory: string): VolumePaths => ({
	directory,
	stateFile: join(directory, 'state.json'),
	lockFile: join(directory, 'lock.db'),
	socket: join(directory, 'control.sock'),
	mountPoint: join(directory, 'mount'),
	staging: join(directory, 'staging'),
	cache: join(directory, 'cache'),
});

/** Makes the directories of a volume, for root's eyes only. */
export const createVolumeDirectory = (paths: VolumePaths): void => {
	if (Buffer.byteLength(paths.socket) > socketPathBytesMax) {
		const excessBytes = Buffer.byteLength(paths.socket) - socketPathBytesMax;
		throw new NodeError(
			`The state directory's path is ${excessBytes} bytes too long for the Unix socket ${paths.socket}; set PNX_VOLUME_STATE_DIR to a shorter one`,
		);
	}

	try {
		for (const directory of [paths.directory, paths.mountPoint, paths.staging, paths.cache]) {
			mkdirSync(directory, {recursive: true, mode: 0o700});
		}
	} catch (error) {
		throw new NodeError(`Cannot create the volume's directory ${paths.directory}: ${toReason(error)}`, {cause: error});
	}
};

/** The ids of all volumes that left anything in the state directory. */
export const listVolumeIds = (stateDirectory: string): string[] =>
	readEntries(join(stateDirectory, 'volumes'))
		.filter(entry => entry.isDirectory() && /^[0-9a-f]{16}$/.test(entry.name))
		.map(entry => entry.name);

/**
Removes what a volume keeps on this node, after its mount is gone: `rmdir` on the mount point, so that even a
mistake in the caller could not delete through a mount into the bucket; and nothing else is removed below which
anything is mounted. With `keepStaging` the journal stays for the next daemon. To be called with the volume's lock
held: its file goes last, for whoever finds it gone makes a new one, and a volume beside it.
*/
export const removeVolumeDirectory = (paths: VolumePaths, {keepStaging}: {keepStaging: boolean}): void => {
	releaseDirectory(paths.mountPoint);
	removeEmpty(paths.mountPoint);
	const table = readMountTable();
	for (const entry of readEntries(paths.directory)) {
		const path = join(paths.directory, entry.name);
		const isMountedBelow = table.some(mount => mount.path === path || mount.path.startsWith(`${path}/`));
		if (
			!isMountedBelow &&
			path !== paths.mountPoint &&
			path !== paths.lockFile &&
			!(keepStaging && (path === paths.staging || path === paths.stateFile))
		) {
			rmSync(path, {recursive: true, force: true});
		}
	}

	rmSync(paths.lockFile, {force: true});
	if (!keepStaging) {
		removeEmpty(paths.directory);
	}
};

/** Bytes in the files of the staging directory, the journal included: what a dead daemon may not have uploaded. */
export const stagingFileCount = (paths: VolumePaths): number =>
	readEntries(paths.staging, {recursive: true}).filter(entry => entry.isFile()).length;

const removeEmpty = (directory: string): void => {
	try {
		rmdirSync(directory);
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY')) {
			throw error;
		}
	}
};

const readEntries = (directory: string, options: {recursive?: boolean} = {}): Dirent[] => {
	try {
		return readdirSync(directory, {...options, withFileTypes: true});
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return [];
		}

		throw error;
	}
};
