import {writeFile} from 'node:fs/promises';
import type {FuseLog} from './fuse-log.ts';

/** Two to four requests of 1 MiB ahead of a sequential reader; the default of 128 KiB would split every request. */
const readAheadKibibytes = 4096;

/** Requests that nobody waits for (read-ahead, write-back of mmap) at the same time; the default is 12. */
const backgroundRequestsMax = 64;

/**
Raises two limits of a mounted file system that FUSE cannot negotiate above the kernel's defaults. Needs root and a
writable /sys: where they are missing the mount works as well, only slower, so failures are logged and no more.
*/
export const tuneKernel = async (device: {major: number; minor: number}, log: FuseLog): Promise<void> => {
	const settings = [
		{file: `/sys/class/bdi/${device.major}:${device.minor}/read_ahead_kb`, value: readAheadKibibytes},
		{file: `/sys/fs/fuse/connections/${device.minor}/max_background`, value: backgroundRequestsMax},
		{
			file: `/sys/fs/fuse/connections/${device.minor}/congestion_threshold`,
			value: Math.floor((backgroundRequestsMax * 3) / 4),
		},
	];
	for (const {file, value} of settings) {
		try {
			await writeFile(file, String(value));
		} catch (error) {
			log.debug({file, value, err: error}, 'cannot tune the kernel');
		}
	}
};
