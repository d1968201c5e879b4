import {readFileSync, realpathSync} from 'node:fs';
import {dirname, join} from 'node:path';

/** A runtime on this machine: the directory of a checkout, or of the packaged tree such as `/opt/pnx-volume/1.2.3`. */
export type RuntimeHome = {readonly home: string; readonly version: string};

/**
The runtime that a script belongs to: the nearest directory above it with a `package.json`. Without symbolic links,
because `current` will lead elsewhere one day.
*/
export const findRuntimeHome = (scriptPath: string): RuntimeHome => {
	let directory = dirname(toRealPath(scriptPath));
	for (;;) {
		const version = readVersion(join(directory, 'package.json'));
		if (version !== undefined || directory === '/') {
			return {home: directory, version: version ?? 'unknown'};
		}

		directory = dirname(directory);
	}
};

const toRealPath = (path: string): string => {
	try {
		return realpathSync(path);
	} catch {
		return path; // The start of the daemon will say that it is missing.
	}
};

const readVersion = (path: string): string | undefined => {
	try {
		const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
		return typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string'
			? parsed.version
			: undefined;
	} catch {
		return undefined; // There is none here: the one that counts is further up.
	}
};
