import {accessSync, constants, existsSync} from 'node:fs';
import {mkdir, readdir, rmdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';

type Hierarchy = {readonly directory: string; readonly limitFile: string};

/** Where memory cgroups can be made here; `undefined` where they cannot. */
const findHierarchy = (): Hierarchy | undefined =>
	[
		{directory: '/sys/fs/cgroup/memory', limitFile: 'memory.limit_in_bytes'},
		{directory: '/sys/fs/cgroup', limitFile: 'memory.max'},
	].find(({directory}) => {
		try {
			accessSync(directory, constants.W_OK);
			const isFirstVersion = existsSync(join(directory, 'memory.limit_in_bytes'));
			return isFirstVersion || existsSync(join(directory, 'cgroup.controllers'));
		} catch {
			return false;
		}
	});

/**
Runs a task with a memory cgroup of so many bytes: the kernel reclaims the pages of files that its processes use.
The task gets the file that a process writes its id into. Without cgroups it gets `undefined`.
*/
export const withMemoryCgroup = async <Result>(
	bytesMax: number,
	task: (processFile: string | undefined) => Promise<Result>,
): Promise<Result> => {
	const hierarchy = findHierarchy();
	if (hierarchy === undefined) {
		return task(undefined);
	}

	await removeLeftOvers(hierarchy.directory);
	const directory = join(hierarchy.directory, `pnx-faults-${process.pid}-${counter++}`);
	await mkdir(directory);
	try {
		const limitFile = join(directory, hierarchy.limitFile);
		// With the second version the controller may not be handed down: then there is no such file to write.
		const isLimited = existsSync(limitFile);
		if (isLimited) {
			await writeFile(limitFile, String(bytesMax));
		}

		return await task(isLimited ? join(directory, 'cgroup.procs') : undefined);
	} finally {
		await removeCgroup(directory);
	}
};

let counter = 0;

/** Of runs that were killed. */
const removeLeftOvers = async (hierarchy: string): Promise<void> => {
	for (const name of await readdir(hierarchy)) {
		const pid = /^pnx-faults-(\d+)-\d+$/.exec(name)?.[1];
		if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
			await rmdir(join(hierarchy, name)).catch(() => undefined); // Another run does the same.
		}
	}
};

/** The kernel takes a moment after the last process. */
const removeCgroup = async (directory: string): Promise<void> => {
	for (let attempt = 0; ; attempt++) {
		try {
			await rmdir(directory);
			return;
		} catch (error) {
			if (attempt === 200) {
				throw error;
			}

			await delay(20);
		}
	}
};
