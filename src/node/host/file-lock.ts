import {closeSync, mkdirSync, openSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {setTimeout as delay} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
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

Taking the lock makes the file, and the directories that lead to it. Only who holds the lock may remove them, in `work`
or in `cleanUp`, which runs at the end, also of work that failed: whoever waited on the removed file notices that the
path leads elsewhere now, and waits on the new one. After work that has removed the file there is no `cleanUp`: what
stands at the path now is another's.
*/
export const withLock = async <Result>(
	{path, what, deadline, cleanUp}: {path: string; what: string; deadline: Deadline; cleanUp?: () => void},
	work: () => Promise<Result>,
): Promise<Result> => {
	const lock = await acquire(path, what, deadline);
	return useLock(lock, {path, cleanUp}, work);
};

/**
The same for work that is not worth a wait: `false` if somebody else holds the lock, or if it is just being removed.
*/
export const tryWithLock = async (
	{path, cleanUp}: {path: string; cleanUp?: () => void},
	work: () => Promise<void>,
): Promise<boolean> => {
	const lock = tryAcquire(path, {isLast: false});
	if (lock === undefined) {
		return false;
	}

	await useLock(lock, {path, cleanUp}, work);
	return true;
};

/** A lock that is held: nobody else gets it while the path leads to this inode. */
type HeldLock = {readonly database: DatabaseSync; readonly inode: bigint};

const useLock = async <Result>(
	{database, inode}: HeldLock,
	{path, cleanUp}: {path: string; cleanUp: (() => void) | undefined},
	work: () => Promise<Result>,
): Promise<Result> => {
	const end = (): void => {
		if (inodeOf(path) === inode) {
			cleanUp?.();
		}
	};

	try {
		const result = await work().catch((error: unknown) => {
			endQuietly(end);
			throw error;
		});
		end();
		return result;
	} finally {
		database.close();
	}
};

/** After work that failed: why it did is what its caller has to know. */
const endQuietly = (end: () => void): void => {
	try {
		end();
	} catch {
		// A full or broken disk, mostly, which is why the work failed.
	}
};

const acquire = async (path: string, what: string, deadline: Deadline): Promise<HeldLock> => {
	const startedAtMs = performance.now();
	for (;;) {
		const isLast = deadline.remainingMs() === 0;
		const lock = tryAcquire(path, {isLast});
		if (lock !== undefined) {
			return lock;
		}

		if (isLast) {
			throw new NodeError(`Another call is still busy with ${what}; try again later`);
		}

		const pollMs = Math.min(pollMsMax, Math.max(pollMsMin, (performance.now() - startedAtMs) * pollShare));
		// At random, so that calls that came together do not poll together.
		await delay(Math.min(deadline.remainingMs(), pollMs * (0.5 + Math.random())));
	}
};

const tryAcquire = (path: string, {isLast}: {isLast: boolean}): HeldLock | undefined => {
	let database: DatabaseSync | undefined;
	try {
		mkdirSync(dirname(path), {recursive: true, mode: 0o700});
		createIfAbsent(path);
		const inode = inodeOf(path);
		database = new DatabaseSync(existingFile(path));
		// With its journal in memory it writes nothing: the lock can be had on a full disk, too.
		database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
		if (inode !== undefined && inodeOf(path) === inode) {
			return {database, inode};
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

/** SQLite would make a file that its holder has just removed; nobody would hold that one, and nobody remove it. */
const existingFile = (path: string): URL => {
	const url = pathToFileURL(path);
	url.searchParams.set('mode', 'rw');
	return url;
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
