import {lstatSync, mkdirSync, readlinkSync, type Stats} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {toReason} from '../model/error-text.ts';
import type {Deadline} from '../node/deadline.ts';
import {mountOf, readMountTable, type Mount} from '../node/mounts/mount-table.ts';
import {NodeError} from '../node/node-error.ts';
import {runCommand, type CommandResult} from '../node/host/run-command.ts';

/**
The node as seen from here: from a container that shares the node's process ids, its files are below
`/proc/<pid>/root` and its commands run in the namespaces of that process. Without a pid, this machine is the node.
*/
export type NodeRoot = {
	readonly hostPid: number | undefined;
	/** What stands in front of a path of the node to reach it from here: empty, or `/proc/<pid>/root`. */
	readonly prefix: string;
};

const linkCountMax = 40;

/**
The modes that let somebody else than root put another file in a directory's place; the sticky bit (/tmp) forbids it
again.
*/
const writableByGroup = 0o020;
const writableByOthers = 0o002;
const sticky = 0o1000;

export const createNodeRoot = (hostPid: number | undefined): NodeRoot => ({
	hostPid,
	prefix: hostPid === undefined ? '' : `/proc/${hostPid}/root`,
});

/**
A path of the node as this process reaches it. Only for paths without symbolic links: an absolute one would lead out
of the node's root.
*/
export const reach = (root: NodeRoot, path: string): string => `${root.prefix}${path}`;

/** The mounts of the node. */
export const readNodeMounts = ({hostPid}: NodeRoot): Mount[] => readMountTable(`/proc/${hostPid ?? 'self'}/mountinfo`);

/**
Puts a command into the namespaces of the node; which files, process ids and cgroups it sees are then the node's.
*/
export const toNodeCommandLine = ({hostPid}: NodeRoot, argv: readonly string[]): readonly string[] =>
	hostPid === undefined ? argv : ['nsenter', '-t', String(hostPid), '-m', '-n', '-u', '-i', '-C', '--', ...argv];

/** Runs a program of the node, in the node's namespaces. */
export const runOnNode = async (
	root: NodeRoot,
	argv: readonly string[],
	deadline: Deadline,
): Promise<CommandResult> => {
	const [command = '', ...args] = toNodeCommandLine(root, argv);
	return runCommand(command, args, deadline);
};

/**
A path of the node without the symbolic links in it, each followed as the node's own processes would. Refuses
directories on the way that others than root may change: what we run or write there as root would be theirs to
choose. What does not exist yet stays as it is.
*/
export const resolveOnNode = (root: NodeRoot, path: string): string => {
	let resolved = '/';
	const rest = split(path);
	for (let linkCount = 0; rest.length > 0; ) {
		const part = rest.shift() ?? '';
		if (part === '..') {
			resolved = dirname(resolved);
			continue;
		}

		const next = join(resolved, part);
		const status = statusOf(reach(root, next), next);
		if (status === undefined) {
			return join(next, ...rest);
		}

		if (status.isSymbolicLink()) {
			linkCount++;
			if (linkCount > linkCountMax) {
				throw new NodeError(`Cannot use ${path}: too many symbolic links lead there`);
			}

			const target = readlinkSync(reach(root, next));
			rest.unshift(...split(target));
			resolved = target.startsWith('/') ? '/' : resolved;
			continue;
		}

		if (status.isDirectory() && isOpenToOthers(status)) {
			throw new NodeError(
				`Cannot use ${path}: users other than root may change ${next}; give it to root (chown root ${next}; chmod go-w ${next}) or choose another directory`,
			);
		}

		resolved = next;
	}

	return resolved;
};

/**
Makes a directory of the node and what is missing above it. The directory itself must not be a link: what is put
there would land wherever the link leads on the day.
*/
export const ensureDirectory = (root: NodeRoot, path: string, {mode}: {mode: number}): string => {
	const directory = join(resolveOnNode(root, dirname(path)), path.slice(path.lastIndexOf('/') + 1));
	assertNoLink(root, directory);
	try {
		mkdirSync(reach(root, directory), {recursive: true, mode});
	} catch (error) {
		// Asked of the mount table: mkdir with its parents says ENOENT where a file system is read-only.
		const mount = mountOf(readNodeMounts(root), directory);
		const isReadOnly = mount !== undefined && [...mount.options, ...mount.superOptions].includes('ro');
		throw new NodeError(
			`Cannot make the directory ${directory} on the node: ${isReadOnly ? `the file system at ${mount.path} is read-only; choose one that can be written` : toReason(error)}`,
			{cause: error},
		);
	}

	return resolveOnNode(root, directory);
};

const isOpenToOthers = ({uid, gid, mode}: Stats): boolean => {
	const isWritable = (mode & writableByOthers) !== 0 || ((mode & writableByGroup) !== 0 && gid !== 0);
	return uid !== 0 || (isWritable && (mode & sticky) === 0);
};

const assertNoLink = (root: NodeRoot, directory: string): void => {
	const status = statusOf(reach(root, directory), directory);
	if (status !== undefined && !status.isDirectory()) {
		throw new NodeError(
			`Cannot use ${directory}: it is ${status.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}, and a directory is expected there; take it away or choose another place`,
		);
	}
};

const statusOf = (reached: string, path: string) => {
	try {
		return lstatSync(reached, {throwIfNoEntry: false});
	} catch (error) {
		throw new NodeError(`Cannot look at ${path} on the node: ${toReason(error)}`, {cause: error});
	}
};

const split = (path: string): string[] =>
	(path.startsWith('/') ? resolve(path) : path).split('/').filter(part => part !== '' && part !== '.');
