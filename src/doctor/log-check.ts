import {accessSync, constants, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {toReason} from '../model/error-text.ts';
import {formatBytes} from '../model/byte-size.ts';
import {toCheck, type Check, type Finding} from './check.ts';

const logBytesMax = 256 * 2 ** 20;

/** Whether the log takes lines, and has not grown out of hand. */
export const checkLog = (path: string): Check => {
	const status = statSync(path, {throwIfNoEntry: false});
	const findings: Finding[] = [];
	try {
		accessSync(status === undefined ? dirname(path) : path, constants.W_OK);
		if (status !== undefined && !status.isFile()) {
			throw new Error('it is not a file');
		}
	} catch (error) {
		findings.push({
			status: 'warning',
			found: `${path} cannot be written to: ${toReason(error)}`,
			remedy:
				'make it writable, or set PNX_VOLUME_LOG to another file: volumes work without a log, but nothing will say why one failed',
		});
	}

	const bytes = status?.size ?? 0;
	if (bytes > logBytesMax) {
		// A daemon holds the file open, so it must be shortened in place.
		findings.push({
			status: 'warning',
			found: `${path} has grown to ${formatBytes(bytes)}`,
			remedy: 'rotate it with logrotate and "copytruncate"',
		});
	}

	return toCheck(
		'log',
		findings,
		status === undefined
			? `${path} does not exist yet; the first call creates it`
			: `${path} is writable, ${formatBytes(bytes)}`,
	);
};
