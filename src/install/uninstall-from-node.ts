import {existsSync, lstatSync, rmdirSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {createDeadline, waitUntil} from '../node/deadline.ts';
import {mountsAt} from '../node/mounts/mount-table.ts';
import {NodeError} from '../node/node-error.ts';
import {replaceFile, syncDirectory} from '../node/host/durable-file.ts';
import type {InstalledLauncher} from './find-launchers.ts';
import {driverName} from './install-launcher.ts';
import {lockName, withInstallLock} from './install-lock.ts';
import {reach, readNodeMounts, resolveOnNode, type NodeRoot} from './node-root.ts';
import {listVersions, removeVersion} from './prune-runtimes.ts';
import {removeState} from './remove-state.ts';
import {findRuntimeUsers} from './runtime-users.ts';
import {findUnfinishedJournals, findVolumeUsers, type UnfinishedJournal} from './volume-users.ts';

export type UninstallOptions = {
	readonly root: NodeRoot;
	/** Every driver of ours on the node. */
	readonly launchers: readonly InstalledLauncher[];
	/** All of these are paths of the node. */
	readonly runtimeDirectory: string;
	readonly stateDirectory: string;
	readonly runDirectory: string;
	readonly logPath: string;
	/** Bytes that S3 does not have are lost with their journal: only when somebody has said so. */
	readonly isJournalDiscarded: boolean;
	/** How long daemons of volumes that nobody uses any more, and calls under way, may take to end. */
	readonly endMs?: number;
};

const listedCountMax = 20;

/**
Leaves a node as it was before pnx-volume came, or leaves it as it is and says who still needs it (NodeError). The
driver goes first, so that no mount begins any more; if one slipped in before that, the driver comes back. Returns
what could not be taken away.
*/
export const uninstallFromNode = async (options: UninstallOptions): Promise<readonly string[]> => {
	const {root} = options;
	const stateDirectory = resolveOnNode(root, options.stateDirectory);
	const runDirectory = resolveOnNode(root, options.runDirectory);
	const runtimeDirectory = resolveOnNode(root, options.runtimeDirectory);
	const isRuntimeThere = existsSync(reach(root, runtimeDirectory));
	const uninstall = async () => removeAll({...options, stateDirectory, runDirectory, runtimeDirectory});
	return isRuntimeThere ? withInstallLock(root, runtimeDirectory, uninstall) : uninstall();
};

const removeAll = async (options: UninstallOptions): Promise<readonly string[]> => {
	const {root, launchers, runtimeDirectory, stateDirectory, runDirectory, logPath} = options;
	await assertUnused(options);
	for (const {path} of launchers) {
		rmSync(reach(root, path), {force: true});
	}

	try {
		await assertUnused(options);
	} catch (error) {
		for (const {path, text} of launchers) {
			await replaceFile(reach(root, path), text, {mode: 0o755});
		}

		throw error;
	}

	const left: string[] = [];
	for (const {path} of launchers) {
		removeIfEmpty(root, dirname(path), left);
	}

	left.push(...(await removeState(root, {stateDirectory, runDirectory})));
	removeRuntimes(root, runtimeDirectory, left);
	rmSync(reach(root, logPath), {force: true});
	return left;
};

/**
In this order: a daemon that still uploads finishes its journal, and takes its own mount away, before these two
count.
*/
const assertUnused = async (options: UninstallOptions): Promise<void> => {
	const {root, stateDirectory, runDirectory, isJournalDiscarded} = options;
	const users = findVolumeUsers(root, stateDirectory);
	if (users.length > 0) {
		throw new NodeError(
			`Volumes are still used on this node, so nothing was removed. Delete or move away what uses them, then try again: ${toList(users)}`,
		);
	}

	await assertNobodyRuns(options);
	const mount = readNodeMounts(root).find(
		({path}) => path.startsWith(`${stateDirectory}/`) || path.startsWith(`${runDirectory}/`),
	);
	if (mount !== undefined) {
		throw new NodeError(
			`Something is mounted at ${mount.path} on this node, so nothing was removed; unmount it (umount -l ${mount.path}) and try again`,
		);
	}

	const journals = isJournalDiscarded ? [] : findUnfinishedJournals(root, stateDirectory);
	if (journals.length > 0) {
		throw new NodeError(
			`Files on this node have not reached S3, so nothing was removed. Mount their volumes once more on this node, which uploads them, or give --discard-journals to lose them: ${toList(journals.map(journal => describeJournal(journal)))}`,
		);
	}
};

/** Daemons whose last pod has just gone, and calls of the kubelet, get time to end; who does not is named. */
const assertNobodyRuns = async ({
	root,
	launchers,
	runtimeDirectory,
	stateDirectory,
	endMs = 60_000,
}: UninstallOptions): Promise<void> => {
	const names = listVersions(root, runtimeDirectory).map(({name}) => name);
	let doubt: string | undefined;
	let pids: number[] = [];
	await waitUntil(
		() => {
			const users = findRuntimeUsers({
				root,
				// A call of the kubelet begins as a shell that runs the driver.
				directories: [runtimeDirectory, ...launchers.map(({path}) => dirname(path))],
				names: [...names, 'current', driverName],
				stateDirectory,
			});
			doubt = users.doubt;
			// This very process may run from there, when it is called by hand.
			pids = [...new Set([...users.processes.values()].flat())].filter(pid => pid !== process.pid);
			return pids.length === 0;
		},
		createDeadline(endMs),
		250,
	);
	if (pids.length > 0) {
		throw new NodeError(
			`Processes of pnx-volume still run on this node, so nothing was removed (an agent, which the DaemonSet starts; a mount by hand; a daemon that still uploads): ${toList(pids.map(pid => `pid ${pid}`))}`,
		);
	}

	if (doubt !== undefined) {
		throw new NodeError(`Cannot tell whether the runtime is still in use, so nothing was removed: ${doubt}`);
	}
};

const removeRuntimes = (root: NodeRoot, directory: string, left: string[]): void => {
	if (!existsSync(reach(root, directory))) {
		return;
	}

	if (lstatSync(reach(root, join(directory, 'current')), {throwIfNoEntry: false})?.isSymbolicLink() === true) {
		rmSync(reach(root, join(directory, 'current')));
	}

	for (const {name} of listVersions(root, directory)) {
		removeVersion(root, join(directory, name));
	}

	rmSync(reach(root, join(directory, lockName)), {force: true});
	removeIfEmpty(root, directory, left);
};

/**
What somebody else has put there stays, and is said; so does a mount point, which from another mount namespace would
go with its mount.
*/
const removeIfEmpty = (root: NodeRoot, directory: string, left: string[]): void => {
	if (mountsAt(readNodeMounts(root), directory).length > 0) {
		left.push(`${directory}, which is a mount point`);
		return;
	}

	try {
		rmdirSync(reach(root, directory));
		syncDirectory(reach(root, dirname(directory)));
	} catch (error) {
		if (hasErrorCode(error, 'ENOTEMPTY')) {
			left.push(`${directory}, which has other files in it`);
		} else if (!hasErrorCode(error, 'ENOENT')) {
			throw error;
		}
	}
};

const describeJournal = ({directory, bucket, bytes}: UnfinishedJournal): string =>
	`${bytes} bytes for the bucket ${bucket} in ${directory}`;

const toList = (items: readonly string[]): string =>
	[
		...items.slice(0, listedCountMax),
		...(items.length > listedCountMax ? [`and ${items.length - listedCountMax} more`] : []),
	].join('; ');
