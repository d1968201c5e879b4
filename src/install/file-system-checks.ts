import {statfsSync} from 'node:fs';
import {toReason} from '../model/error-text.ts';
import {mountOf, type Mount} from '../node/mounts/mount-table.ts';
import {NodeError} from '../node/node-error.ts';
import {reach, readNodeMounts, type NodeRoot} from './node-root.ts';

const mebibyte = 2 ** 20;

/** Space that is left for other programs. */
const spareBytes = 16 * mebibyte;

/** Refuses a directory of the node from which nothing may be executed, or into which nothing may be written. */
export const assertExecutable = (root: NodeRoot, directory: string, what: string): void => {
	const mount = mountOf(readNodeMounts(root), directory);
	if (mount === undefined) {
		return;
	}

	const about = `${what} cannot be in ${directory}: the file system there (${mount.type} at ${mount.path})`;
	if (isReadOnly(mount)) {
		throw new NodeError(`${about} is read-only; choose a directory on one that can be written`);
	}

	if (mount.options.includes('noexec')) {
		throw new NodeError(
			`${about} is mounted noexec, so nothing can be started from it; choose a directory on one without noexec, or remount it (mount -o remount,exec ${mount.path})`,
		);
	}
};

/** Refuses to begin what would not fit, or would fill the disk of the node to its end. */
export const assertRoom = (root: NodeRoot, directory: string, neededBytes: number): void => {
	let freeBytes: number;
	try {
		const {bavail, bsize} = statfsSync(reach(root, directory));
		freeBytes = bavail * bsize;
	} catch (error) {
		throw new NodeError(`Cannot ask how much room there is in ${directory} on the node: ${toReason(error)}`, {
			cause: error,
		});
	}

	if (freeBytes < neededBytes + spareBytes) {
		throw new NodeError(
			`The disk of the node is too full: ${directory} needs ${toMebibytes(neededBytes + spareBytes)} MiB and has ${toMebibytes(freeBytes)} MiB free; make room there or choose another runtime directory`,
		);
	}
};

const isReadOnly = ({options, superOptions}: Mount): boolean => options.includes('ro') || superOptions.includes('ro');

const toMebibytes = (bytes: number): number => Math.ceil(bytes / mebibyte);
