import {lstatSync, readlinkSync, realpathSync, type Stats} from 'node:fs';
import {dirname, resolve} from 'node:path';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import {readMountTable} from './mount-table.ts';
import {NodeError} from '../node-error.ts';
import {resolveMountPath} from './pod-directory.ts';

/**
Makes sure that nobody but root decides where a kubelet's path of a volume leads: every directory above it is root's
and nobody else may write there, so that what is true now still is when mount(8) follows the same path. Above
`podsDirectory` there may be symbolic links of root's, and directories like /tmp; from there down, directories
alone, and nothing mounted on them.
*/
export const assertTrustedParents = (path: string, podsDirectory: string): void => {
	const fail = (where: string, what: string): never => {
		throw new NodeError(
			`Cannot mount at ${path}: ${where} ${what}; only the kubelet may decide where a pod's volume is`,
		);
	};

	assertTrustedDirectory(dirname(podsDirectory), fail);
	for (const directory of listPrefixes(dirname(path)).filter(
		prefix => prefix === podsDirectory || prefix.startsWith(`${podsDirectory}/`),
	)) {
		const stats = lookAt(directory);
		if (stats === undefined) {
			return; // The mount says that it is missing.
		}

		if (!stats.isDirectory()) {
			fail(directory, `is ${stats.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}`);
		}

		if (!isRoots(stats) || (stats.mode & 0o022) !== 0) {
			fail(directory, 'does not belong to root, or others may write to it');
		}
	}

	const pods = resolveMountPath(podsDirectory);
	const real = resolveMountPath(path);
	const mount = readMountTable().find(
		candidate =>
			pods !== undefined && candidate.path.startsWith(`${pods}/`) && real?.startsWith(`${candidate.path}/`) === true,
	);
	if (mount !== undefined) {
		fail(mount.path, `has ${mount.type} (${mount.source}) mounted on it`);
	}
};

/** Follows the symbolic links on the way, each of which must be root's, as must what they lead to. */
const assertTrustedDirectory = (path: string, fail: (where: string, what: string) => never): void => {
	for (const directory of listPrefixes(path)) {
		const stats = lookAt(directory);
		if (stats === undefined) {
			return;
		}

		const isShared = (stats.mode & 0o002) !== 0 || ((stats.mode & 0o020) !== 0 && stats.gid !== 0);
		// A symbolic link has all permissions, and nobody can change it but who may write to its directory.
		if (!isRoots(stats) || (isShared && !stats.isSymbolicLink() && (stats.mode & 0o1000) === 0)) {
			fail(directory, 'does not belong to root, or others may write to it');
		}

		if (stats.isSymbolicLink()) {
			// Where the last link of a chain leads (which there is, so that this ends), and each one before it.
			assertTrustedDirectory(readTarget(directory), fail);
			assertTrustedDirectory(resolve(dirname(directory), readlinkSync(directory)), fail);
		}
	}
};

/** `/a`, `/a/b` and so on, down to the path itself. */
const listPrefixes = (path: string): string[] => {
	const components = path.split('/').filter(component => component !== '');
	return ['/', ...components.map((_, index) => `/${components.slice(0, index + 1).join('/')}`)];
};

const lookAt = (path: string): Stats | undefined => {
	try {
		return lstatSync(path);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return undefined;
		}

		throw new NodeError(`Cannot look up ${path}: ${toReason(error)}`, {cause: error});
	}
};

const readTarget = (link: string): string => {
	try {
		return realpathSync(link);
	} catch (error) {
		throw new NodeError(`Cannot follow the symbolic link ${link}: ${toReason(error)}`, {cause: error});
	}
};

const isRoots = ({uid}: Stats): boolean => uid === 0 || uid === process.geteuid?.();
