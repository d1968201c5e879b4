import {execFile} from 'node:child_process';
import {mkdtemp, rmdir} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';

const run = promisify(execFile);

/** A directory with a disk of its own in memory, which goes after the test. For root only. */
export const mountSmallDisk = async (t: ExecutionContext, bytes: number): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-disk-'));
	t.teardown(async () => rmdir(directory));
	await run('mount', ['-n', '-t', 'tmpfs', '-o', `size=${bytes},mode=755`, 'small', directory]);
	t.teardown(async () => run('umount', ['-l', directory]));
	return directory;
};
