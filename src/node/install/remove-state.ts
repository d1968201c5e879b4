import {existsSync, readdirSync, rmdirSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {createDeadline} from '../deadline.ts';
import {findHostTool} from '../host-tool.ts';
import {hasErrorCode, NodeError} from '../node-error.ts';
import {runCommand} from '../run-command.ts';
import {listVolumeIds, volumePaths} from '../volume-directory.ts';
import {reach, readNodeMounts, resolveOnNode, type NodeRoot} from './node-root.ts';
import {findUnfinishedJournals} from './volume-users.ts';

type StatePlaces = {readonly stateDirectory: string; readonly runDirectory: string; readonly isJournalDiscarded: boolean};

/** What is ours in the two directories; never the directories with whatever they hold, which may be `/var/lib` by somebody's mistake. */
const stateEntries = /^(?:volumes|locks|compile-cache|policy\.json|\..+\.[\da-f]{12})$/;
const runEntries = /^(?:volumes|launches|locks|launch-.+|.+\.json|[\da-f]{16}(?:\..+)?)$/;
const chattrMs = 5000;

/** Takes away what volumes have left on the node, after nobody uses them any more. Returns what it left. */
export const removeState = async (root: NodeRoot, {stateDirectory, runDirectory, isJournalDiscarded}: StatePlaces): Promise<string[]> => {
	const mount = readNodeMounts(root).find(({path}) => path.startsWith(`${stateDirectory}/`));
	if (mount !== undefined) {
		throw new NodeError(`Cannot remove ${stateDirectory}: something is mounted at ${mount.path}; unmount it (umount -l ${mount.path}) and try again`);
	}

	if (!isJournalDiscarded && findUnfinishedJournals(root, stateDirectory).length > 0) {
		throw new NodeError(`Cannot remove ${stateDirectory}: a journal has appeared in it`);
	}

	await makeMutable(root, stateDirectory);
	return [
		...removeEntries(root, stateDirectory, stateEntries),
		...removeEntries(root, resolveOnNode(root, runDirectory), runEntries),
	];
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

	try {
		rmdirSync(reached);
		return [];
	} catch (error) {
		if (hasErrorCode(error, 'ENOTEMPTY', 'EBUSY')) {
			return [`${directory}, which ${hasErrorCode(error, 'EBUSY') ? 'is a mount point' : `has other files in it (${readdirSync(reached).slice(0, 3).join(', ')})`}`];
		}

		throw new NodeError(`Cannot remove ${directory} from ${dirname(directory)}: ${String(error)}`, {cause: error});
	}
};
