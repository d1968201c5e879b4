import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rmdir, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

const run = promisify(execFile);

/** Makes the kernel answer every call that waits for a FUSE mount with an error, whatever its process does. */
export const abortMount = async (mountPoint: string): Promise<void> => {
	const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => line.split(' '));
	const device = lines.findLast(fields => fields[4] === mountPoint)?.[2];
	if (device === undefined) {
		return; // It is gone.
	}

	// Not every machine has the control file system mounted.
	const control = await mkdtemp(join(tmpdir(), 'pnx-fusectl-'));
	await run('mount', ['-t', 'fusectl', 'none', control]);
	try {
		await writeFile(join(control, device.split(':')[1] ?? '', 'abort'), '1');
	} finally {
		await run('umount', [control]);
		await rmdir(control);
	}
};
