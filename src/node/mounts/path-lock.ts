import {createHash} from 'node:crypto';
import {readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../../model/error-text.ts';
import type {Deadline} from '../deadline.ts';
import {mountsAt, readMountTable} from './mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {tryWithLock, withLock} from '../host/file-lock.ts';

/**
The lock of a directory: mount and unmount of one path never overlap, whichever volumes they turn out to mean. Taken
before any volume's lock. Its file stays while something is mounted there, so that unmount needs no disk space for it.
*/
export const withPathLock = async <Result>(
	path: string,
	{stateDirectory}: NodeEnvironment,
	deadline: Deadline,
	work: () => Promise<Result>,
): Promise<Result> => {
	const file = join(lockDirectory(stateDirectory), lockName(path));
	const cleanUp = (): void => {
		if (mountsAt(readMountTable(), path).length === 0) {
			rmSync(file, {force: true});
		}
	};

	return withLock({path: file, what: path, deadline, cleanUp}, work);
};

/** Removes the lock files of killed calls: those of paths where nothing is mounted, and that nobody holds. */
export const removeForgottenPathLocks = async ({stateDirectory}: NodeEnvironment): Promise<void> => {
	const used = new Set(readMountTable().map(({path}) => lockName(path)));
	for (const name of list(lockDirectory(stateDirectory)).filter(
		candidate => /^[0-9a-f]{32}\.db$/.test(candidate) && !used.has(candidate),
	)) {
		const file = join(lockDirectory(stateDirectory), name);
		await tryWithLock({path: file}, async () => {
			if (!readMountTable().some(({path}) => lockName(path) === name)) {
				rmSync(file, {force: true});
			}
		});
	}
};

const lockDirectory = (stateDirectory: string): string => join(stateDirectory, 'locks');

const lockName = (path: string): string => `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.db`;

const list = (directory: string): string[] => {
	try {
		return readdirSync(directory);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return [];
		}

		throw error;
	}
};
