import {accessSync, constants, existsSync, statfsSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {toReason} from '../model/error-text.ts';
import {isInMemory} from '../node/launch/launch-record.ts';
import {toCheck, type Check, type Finding} from './check.ts';

const freeBytesMin = 2 ** 30;
const freeShareMin = 0.05;

/** Whether the state directory is there (or can be made), for root alone, and takes writes. */
export const checkStateDirectory = (path: string): Check => {
	const name = 'state-directory';
	const existing = findExisting(path);
	const findings: Finding[] = [];
	try {
		accessSync(existing, constants.W_OK | constants.X_OK);
	} catch (error) {
		findings.push({
			status: 'failed',
			found: `${existing} cannot be written to: ${toReason(error)}`,
			remedy:
				'run as root; mount that file system read-write; or set PNX_VOLUME_STATE_DIR to another directory on a local disk',
		});
	}

	if (existing !== path) {
		return toCheck(name, findings, `${path} does not exist yet; the first mount creates it`);
	}

	const status = statSync(path);
	const mode = status.mode & 0o777;
	if (!status.isDirectory()) {
		findings.push({
			status: 'failed',
			found: `${path} is not a directory`,
			remedy: 'move the file away, or set PNX_VOLUME_STATE_DIR to a directory',
		});
	} else if (mode !== 0o700) {
		findings.push({
			status: 'warning',
			found: `${path} has mode 0${mode.toString(8)}: it holds contents of files`,
			remedy: `chmod 0700 ${path}`,
		});
	}

	return toCheck(name, findings, `${path} is writable, mode 0700`);
};

/**
Whether a dead daemon's credentials may be kept where the next one finds them: without that, pods with a Secret have
to be restarted.
*/
export const checkRunDirectory = (path: string): Check => {
	const existing = findExisting(path);
	return toCheck(
		'run-directory',
		isInMemory(existing)
			? []
			: [
					{
						status: 'warning',
						found: `${existing} is not in memory (tmpfs), so credentials of volumes are not kept there: daemons that die cannot be started again for pods with a Secret`,
						remedy:
							'mount a tmpfs at /run, as most systems do, or set PNX_VOLUME_RUN_DIR to a directory on one; this takes effect at the next mount of each volume',
					},
				],
		`${existing} is in memory`,
	);
};

/** Whether the disk has room for bytes on their way to S3. */
export const checkDisk = (stateDirectory: string): Check => {
	const directory = findExisting(stateDirectory);
	const {bavail, blocks, bsize} = statfsSync(directory);
	return judgeDisk({directory, freeBytes: bavail * bsize, totalBytes: blocks * bsize});
};

export const judgeDisk = ({
	directory,
	freeBytes,
	totalBytes,
}: {
	directory: string;
	freeBytes: number;
	totalBytes: number;
}): Check => {
	const share = totalBytes === 0 ? 0 : freeBytes / totalBytes;
	const found = `${(freeBytes / 2 ** 30).toFixed(1)} GiB (${(share * 100).toFixed(1)} %) free in the file system of ${directory}`;
	const remedy =
		'make room there: writes to volumes get ENOSPC when it is full; or give the volumes a smaller cache-size';
	return toCheck(
		'disk',
		freeBytes < freeBytesMin || share < freeShareMin
			? [{status: freeBytes === 0 ? 'failed' : 'warning', found, remedy}]
			: [],
		found,
	);
};

/** The path itself, or the nearest of its parents that exists. */
const findExisting = (path: string): string => (existsSync(path) || path === '/' ? path : findExisting(dirname(path)));
