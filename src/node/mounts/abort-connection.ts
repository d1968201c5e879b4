import {writeFileSync} from 'node:fs';
import {hasErrorCode} from '../../model/error-text.ts';
import type {Deadline} from '../deadline.ts';
import {runCommand} from '../host/run-command.ts';
import type {Mount} from './mount-table.ts';

/** busybox knows neither `-i` nor `-c`. */
const forcedArguments: ReadonlyArray<readonly string[]> = [['-i', '-c', '-f'], ['-f']];
const attemptMs = 5000;

/**
Makes the kernel abort the connection of a FUSE mount: every program that waits for it gets an error, whatever its
process does. Whether that could be done. Where the control file system of FUSE is not mounted, a forced umount(2) does
it, which takes the mount away unless it is in use.
*/
export const abortConnection = async ({device, path}: Mount, deadline: Deadline): Promise<boolean> => {
	const minor = device.split(':')[1];
	try {
		writeFileSync(`/sys/fs/fuse/connections/${minor}/abort`, '1', {flag: 'r+'});
		return true;
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT', 'EACCES', 'EROFS')) {
			throw error;
		}
	}

	for (const args of forcedArguments) {
		const {exitCode, message} = await runCommand('umount', [...args, path], deadline.within(attemptMs));
		if (exitCode === 0 || /busy/.test(message)) {
			return true;
		}
	}

	return false;
};
