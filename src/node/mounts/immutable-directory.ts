import {spawnSync} from 'node:child_process';
import {accessSync, constants, readdirSync} from 'node:fs';
import {hasErrorCode} from '../../model/error-text.ts';
import type {Deadline} from '../deadline.ts';
import {findHostTool} from '../host/host-tool.ts';
import {mountsAt, readMountTable} from './mount-table.ts';
import {runCommand} from '../host/run-command.ts';

/**
Directories that are to be mounted on are immutable (chattr +i, where the file system knows that), so that a program
that writes there before the mount or after it gets an error instead of filling the node's disk with files that
nobody will find. A directory with the mark cannot be removed either, not even by root: who takes a mount away, or
fails to make it, takes the mark away too. All of this is for paths whose lock the caller holds: chattr at a path
where somebody mounts meanwhile would ask that file system instead.
*/

const chattrMs = 5000;

/**
Marks a directory if it is empty and nothing is mounted there. Where that does not work, nothing is lost but the
protection.
*/
export const protectDirectory = async (path: string, deadline: Deadline): Promise<void> => {
	const chattr = findHostTool('chattr');
	if (chattr !== undefined && isFree(path)) {
		await runCommand(chattr, ['+i', path], deadline.within(chattrMs));
	}
};

/** Takes the mark away, if there is one and nothing is mounted there. Does not touch a path that is a mount. */
export const releaseDirectory = (path: string): void => {
	if (mountsAt(readMountTable(), path).length > 0 || !isImmutable(path)) {
		return;
	}

	const chattr = findHostTool('chattr');
	if (chattr !== undefined) {
		spawnSync(chattr, ['-i', path], {stdio: 'ignore', timeout: chattrMs});
	}
};

/** The kernel refuses to write there with EPERM before it looks at permissions. */
const isImmutable = (path: string): boolean => {
	try {
		accessSync(path, constants.W_OK);
		return false;
	} catch (error) {
		return hasErrorCode(error, 'EPERM');
	}
};

const isFree = (path: string): boolean => {
	try {
		return mountsAt(readMountTable(), path).length === 0 && readdirSync(path).length === 0;
	} catch {
		return false; // Not there, or no directory: whoever mounts says so.
	}
};
