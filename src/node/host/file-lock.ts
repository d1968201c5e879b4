import {closeSync, mkdirSync, openSync, rmSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {setTimeout as delay} from 'node:timers/promises';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import type {Deadline} from '../deadline.ts';
import {NodeError} from '../node-error.ts';

/**
A long wait polls less often: otherwise hundreds of waiting calls would leave no processor time to the holder of the
lock.
*/
const pollMsMin = 15;
const pollMsMax = 250;
const pollShare = 0.1;

/** Result code SQLITE_BUSY: another process holds the lock. */
const sqliteBusy = 5;

/** Result code SQLITE_CANTOPEN. */
const sqliteCannotOpen = 14;

/**
Runs `work` while no other process runs anything under the same lock file. The lock is SQLite's exclusive lock on an
empty database, the one advisory lock of the kernel (fcntl) that Node.js reaches: it ends with the process that
holds it, however that dies. `what` names the holder's business for the message when the deadline passes.

The lock file may be removed by who holds it (`removeAfterwards`): whoever waited on the removed file notices
that the path leads elsewhere now, and waits on the new one.
*/
export const withLock = async <Result>(
	{
		path,
		what,
		deadline,
		removeAfterwards,
	}: {path: string; what: string; deadline: Deadline; removeAfterwards?: () => boolean},
	work: () => Promise<Result>,
): Promise<Result> => {
	const database = await acquire(path, what, deadline);
	return useLock(database, {path, removeAfterwards}, work);
};

/**
The same for work that is not worth a wait: `false` if somebody else holds the lock, or if it is just being removed.
*/
export const tryWithLock = async (
	{path, removeAfterwards}: {path: string; removeAfterwards?: () => boolean},
	work: () => Promise<void>,
): Promise<boolean> => {
	const database = tryAcquire(path, {isLast: false});
	if (database === undefined) {
		return false;
	}

	await useLock(database, {path, removeAfterwards}, work);
	return true;
};

const useLock = async <Result>(
	database: DatabaseSync,
	{path, removeAfterwards}: {path: string; removeAfterwards: (() => boolean) | undefined},
	work: () => Promise<Result>,
): Promise<Result> => {
	try {
		return await work();
	} finally {
		if (removeAfterwards?.() ?? false) {
			rmSync(path, {force: true});
		}

		database.close();
	}
};

const acquire = async (path: string, what: string, deadline: Deadline): Promise<DatabaseSync> => {
	const startedAtMs = performance.now();
	for (;;) {
		const isLast = deadline.remainingMs() === 0;
		const database = tryAcquire(path, {isLast});
		if (database !== undefined) {
			return database;
		}

		if (isLast) {
			throw new NodeError(`Another call is still busy with ${what}; try again later`);
		}

		const pollMs = Math.min(pollMsMax, Math.max(pollMsMin, (performance.now() - startedAtMs) * pollShare));
		// At random, so that calls that came together do not poll together.
		await delay(Math.min(deadline.remainingMs(), pollMs * (0.5 + Math.random())));
	}
};

const tryAcquire = (path: string, {isLast}: {isLast: boolean}): DatabaseSync | undefined => {
	let database: DatabaseSync | undefined;
	try {
		mkdirSync(dirname(path), {recursive: true, mode: 0o700});
		createIfAbsent(path);
		const inodeBefore = inodeOf(path);
		database = new DatabaseSync(path);
		// With its journal in memory it writes nothing: the lock can be had on a full disk, too.
		database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
		if (inodeBefore !== undefined && inodeOf(path) === inodeBefore) {
			return database;
		}

		database.close();
		return undefined;
	} catch (error) {
		database?.close();
		// Or the holder has removed the file, or the directory that we had made for it: the next attempt makes them again.
		if (isBusy(error) || (!isLast && isGone(error))) {
			return undefined;
		}

		throw new NodeError(
			`Cannot lock ${path}: ${toReason(error)}. Is the file system of the state directory full or read-only?`,
			{cause: error},
		);
	}
};

/**
Opens only a file that it creates: closing a descriptor of an existing one would free a lock that this process holds
on it.
*/
const createIfAbsent = (path: string): void => {
	try {
		closeSync(openSync(path, 'wx', 0o600));
	} catch (error) {
		if (!hasErrorCode(error, 'EEXIST')) {
			throw error;
		}
	}
};

const inodeOf = (path: string): bigint | undefined => {
	try {
		return statSync(path, {bigint: true}).ino;
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return undefined;
		}

		throw error;
	}
};

const isGone = (error: unknown): boolean =>
	hasErrorCode(error, 'ENOENT') || (error instanceof Error && 'errcode' in error && error.errcode === sqliteCannotOpen);

const isBusy = (error: unknown): boolean =>
	error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
