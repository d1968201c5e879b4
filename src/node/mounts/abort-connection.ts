import {writeFileSync} from 'node:fs';
import {hasErrorCode} from '../model/error-text.ts';

/**
Makes the kernel abort a FUSE connection: every program that waits for it gets an error, whatever its process does.
False where the control file system of FUSE is not mounted.
*/
export const abortConnection = (device: string): boolean => {
	const minor = device.split(':')[1];
	try {
		writeFileSync(`/sys/fs/fuse/connections/${minor}/abort`, '1', {flag: 'r+'});
		return true;
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'EACCES', 'EROFS')) {
			return false;
		}

		throw error;
	}
};
