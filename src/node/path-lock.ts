import {createHash} from 'node:crypto';
import {join} from 'node:path';
import type {Deadline} from './deadline.ts';
import {mountsAt, readMountTable} from './mount-table.ts';
import type {NodeEnvironment} from './node-environment.ts';
import {withLock} from './volume-lock.ts';

/**
The lock of a directory: mount and unmount of one path never overlap, whichever volumes they turn out to mean. Taken
before any volume's lock. Its file stays while something is mounted there, so that unmount needs no disk space for it.
*/
export const withPathLock = async <Result>(path: string, {stateDirectory}: NodeEnvironment, deadline: Deadline, work: () => Promise<Result>): Promise<Result> => withLock({
	path: join(stateDirectory, 'locks', `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.db`),
	what: path,
	deadline,
	removeAfterwards: () => mountsAt(readMountTable(), path).length === 0,
}, work);
