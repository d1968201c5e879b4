import {spawnSync} from 'node:child_process';
import {closeSync, openSync, readSync} from 'node:fs';
import {findPrograms} from './find-program.ts';

const isScript = (path: string): boolean => {
	const start = Buffer.alloc(2);
	const file = openSync(path, 'r');
	try {
		readSync(file, start, 0, 2, 0);
	} finally {
		closeSync(file);
	}

	return start.toString() === '#!';
};

const candidates = findPrograms('python3');

/**
An interpreter, and no script that looks for one where that can be helped: it would take longer than most programs of
the tests.
*/
export const pythonPath = candidates.find(path => !isScript(path)) ?? candidates[0] ?? 'python3';

/** Whether it is there, with all that the tests use. */
export const hasPython = (): boolean => spawnSync(pythonPath, ['-c', 'import ctypes, fcntl, mmap']).status === 0;
