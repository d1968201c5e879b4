import {lstatSync, mkdirSync, readdirSync, realpathSync, rmdirSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import {releaseDirectory} from './immutable-directory.ts';
import {NodeError} from '../node-error.ts';

/**
The path as the mount table spells it. Symbolic links among its parents are followed (`/var/lib/kubelet` often is
one); the last component is not looked at, for a dead or hanging mount may be there. `undefined` when there is no
parent.
*/
export const resolveMountPath = (path: string): string | undefined => {
	try {
		return join(realpathSync(dirname(path)), basename(path));
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return undefined;
		}

		throw new NodeError(`Cannot look up ${dirname(path)}: ${toReason(error)}`, {cause: error});
	}
};

/**
Makes sure that a path where nothing is mounted is an empty directory to mount on. A missing directory is made, one
level deep, as the kubelet would; the answer says whether. Only for paths that the mount table does not list.
*/
export const preparePodDirectory = (path: string): {created: boolean} => {
	try {
		const kind = lstatSync(path);
		if (!kind.isDirectory()) {
			throw new NodeError(
				`Cannot mount at ${path}: it is ${kind.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}`,
			);
		}

		const [entry] = readdirSync(path);
		if (entry !== undefined) {
			throw new NodeError(
				`Cannot mount at ${path}: the directory is not empty (it holds ${JSON.stringify(entry.slice(0, 80))}); move its files away first`,
			);
		}

		return {created: false};
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT')) {
			throw error instanceof NodeError
				? error
				: new NodeError(`Cannot mount at ${path}: ${toReason(error)}`, {cause: error});
		}
	}

	try {
		mkdirSync(path, {mode: 0o750});
		return {created: true};
	} catch (error) {
		throw new NodeError(`Cannot mount at ${path}: the directory cannot be created: ${toReason(error)}`, {cause: error});
	}
};

/** Takes back what `preparePodDirectory` made. */
export const removePodDirectory = (path: string): void => {
	try {
		releaseDirectory(path);
		rmdirSync(path);
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY')) {
			throw error;
		}
	}
};
