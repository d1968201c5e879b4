import {existsSync, readdirSync, rmdirSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {createDeadline} from '../node/deadline.ts';
import {findHostTool} from '../node/host/host-tool.ts';
import {mountsAt} from '../node/mounts/mount-table.ts';
import {NodeError} from '../node/node-error.ts';
import {runCommand} from '../node/host/run-command.ts';
import {listVolumeIds, volumePaths} from '../node/volumes/volume-directory.ts';
import {reach, readNodeMounts, type NodeRoot} from './node-root.ts';

type StatePlaces = {readonly stateDirectory: string; readonly runDirectory: string};

/**
What is ours in the two directories; never the directories with whatever they hold, which may be `/var/lib` by
somebody's mistake.
*/
const stateEntries = /^(?:volumes|locks|compile-cache|policy\.json|\..+\.[\da-f]{12})$/;
const runEntries = /^(?:launch(?:-.+)?|renew|volumes|locks)$/;
const chattrMs = 5000;

/**
Takes away what volumes have left on the node. The caller has seen that nobody uses them, that nothing is mounted
there, and no journal is left. Returns what stays.
*/
export const removeState = async (root: NodeRoot, {stateDirectory, runDirectory}: StatePlaces): Promise<string[]> => {
	await makeMutable(root, stateDirectory);
	return [...removeEntries(root, stateDirectory, stateEntries), ...removeEntries(root, runDirectory, runEntries)];
};

/** The directories below mounts are immutable where the file system has that; there is nothing in them. */
const makeMutable = async (root: NodeRoot, stateDirectory: string): Promise<void> => {
	const chattr = findHostTool('chattr');
	for (const volumeId of listVolumeIds(reach(root, stateDirectory))) {
		const {mountPoint} = volumePaths(reach(root, stateDirectory), volumeId);
		if (chattr !== undefined && existsSync(mountPoint)) {
			// Whether it was needed and has worked shows when the directory is removed.
			await runCommand(chattr, ['-i', mountPoint], createDeadline(chattrMs));
		}
	}
};

const removeEntries = (root: NodeRoot, directory: string, ours: RegExp): string[] => {
	const reached = reach(root, directory);
	if (!existsSync(reached)) {
		return [];
	}

	for (const name of readdirSync(reached).filter(entry => ours.test(entry))) {
		rmSync(join(reached, name), {recursive: true, force: true});
	}

	// From another mount namespace the kernel would not refuse: it would remove the directory below, and the mount
	// with it.
	if (mountsAt(readNodeMounts(root), directory).length > 0) {
		return [`${directory}, which is a mount point`];
	}

	try {
		rmdirSync(reached);
		return [];
	} catch (error) {
		if (hasErrorCode(error, 'ENOTEMPTY', 'EBUSY')) {
			return [
				`${directory}, which ${hasErrorCode(error, 'EBUSY') ? 'is a mount point' : `has other files in it (${readdirSync(reached).slice(0, 3).join(', ')})`}`,
			];
		}

		throw new NodeError(`Cannot remove ${directory} from ${dirname(directory)}: ${String(error)}`, {cause: error});
	}
};
