import {closeSync, openSync} from 'node:fs';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {toCheck, type Check} from './check.ts';

/** Whether the kernel has FUSE, and lets us have it. */
export const checkFuseDevice = (path = '/dev/fuse'): Check => {
	try {
		closeSync(openSync(path, 'r+'));
		return judgeFuseDevice(path, undefined);
	} catch (error) {
		return judgeFuseDevice(path, error);
	}
};

/** `error`: why the device did not open. */
export const judgeFuseDevice = (path: string, error: unknown): Check =>
	toCheck(
		'fuse-device',
		error === undefined
			? []
			: [
					{
						status: 'failed',
						found: `${path} does not open: ${toReason(error)}`,
						remedy: hasErrorCode(error, 'EACCES', 'EPERM')
							? 'run as root; in a container, make it privileged or allow the device (docker run --device /dev/fuse --cap-add SYS_ADMIN)'
							: 'load the kernel module: modprobe fuse (and list "fuse" in /etc/modules-load.d); in a container, give it the device of the host (docker run --device /dev/fuse --cap-add SYS_ADMIN)',
					},
				],
		`${path} opens`,
	);
