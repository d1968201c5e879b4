import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const repository = join(import.meta.dirname, '..', '..', '..');

/**
A runtime as `npm run package` makes it, but on this machine's libraries: the same programs, bundled the same way,
and the pinned Node.js by a script instead of a copy of 120 MB. `change` goes into a file of it, so that it is
another build.
*/
export const buildRuntimeTree = (
	directory: string,
	{version, change}: {version?: string; change?: string} = {},
): string => {
	mkdirSync(directory, {recursive: true});
	execFileSync(process.execPath, [join(repository, 'scripts', 'bundle.js'), directory], {cwd: repository});
	mkdirSync(join(directory, 'driver'));
	copyFileSync(join(repository, 'driver', 'volume'), join(directory, 'driver', 'volume'));
	mkdirSync(join(directory, 'bin'));
	writeScript(join(directory, 'bin', 'node'), `exec ${process.execPath} "$@"`);
	writeScript(
		join(directory, 'bin', 'pnx-volume'),
		'self=$0\n[ ! -h "$self" ] || self=$(readlink -f "$self")\nexec "${self%/*}/node" --disable-warning=ExperimentalWarning "${self%/*}/../dist/bin/pnx-volume.js" "$@"',
	);
	changeTree(directory, {version, change});
	return directory;
};

/** The same programs in another place, as another version or another build. */
export const copyRuntimeTree = (
	source: string,
	directory: string,
	changes: {version?: string; change?: string},
): string => {
	cpSync(source, directory, {recursive: true});
	changeTree(directory, changes);
	return directory;
};

const changeTree = (
	directory: string,
	{version, change}: {version?: string | undefined; change?: string | undefined},
): void => {
	if (version !== undefined) {
		const path = join(directory, 'package.json');
		writeFileSync(path, JSON.stringify({...(JSON.parse(readFileSync(path, 'utf8')) as object), version}));
	}

	if (change !== undefined) {
		writeFileSync(join(directory, 'LICENSES', 'change.txt'), change);
	}
};

const writeScript = (path: string, text: string): void => {
	writeFileSync(path, `#!/bin/sh\n${text}\n`);
	chmodSync(path, 0o755);
};
