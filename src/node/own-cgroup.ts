import {mkdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {readMountTable, type Mount} from './mount-table.ts';

/**
A daemon that stayed in the cgroup of the kubelet's service would be killed with it: systemd ends every process of the
cgroup, whatever its session is. So each daemon gets a cgroup of its own, below `/pnx-volume` in the hierarchies by which
systemd keeps track of processes: the unified one (v2) and `name=systemd` (v1). Limits of other v1 hierarchies stay.
*/
const parentName = 'pnx-volume';

/** Hierarchies of a process, from the text of `/proc/<pid>/cgroup` and the mount table: where their files are, and where in them it is. */
export const trackingCgroups = (processCgroups: string, table: readonly Mount[]): Array<{readonly mountPoint: string; readonly path: string}> => {
	const cgroups: Array<{mountPoint: string; path: string}> = [];
	for (const line of processCgroups.split('\n')) {
		// cgroups(7): `hierarchy id:controllers:path`; the unified hierarchy is `0::path`.
		const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
		if (path === undefined || (id !== '0' && controllers !== 'name=systemd')) {
			continue;
		}

		const mount = table.find(({type, superOptions}) => (id === '0' ? type === 'cgroup2' : type === 'cgroup' && superOptions.includes('name=systemd')));
		if (mount !== undefined) {
			cgroups.push({mountPoint: mount.path, path});
		}
	}

	return cgroups;
};

/**
Moves a process out of the cgroup of our own starter. One that is at the root belongs to no service, and stays. Answers
what did not work, for the log: a host that does not allow it still gets its mount.
*/
export const moveToOwnCgroup = (pid: number, volumeId: string): string[] => {
	const failures: string[] = [];
	for (const {mountPoint, path} of trackingCgroups(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), readMountTable())) {
		if (path === '/') {
			continue;
		}

		const directory = join(mountPoint, parentName, volumeId);
		try {
			mkdirSync(directory, {recursive: true});
			writeFileSync(join(directory, 'cgroup.procs'), String(pid));
		} catch (error) {
			failures.push(`process ${pid} stays in the cgroup ${path}, and will end with it: ${error instanceof Error ? error.message : String(error)}`);
		}
	}

	return failures;
};

/** Removes a volume's cgroups after its daemon has ended, and their parent after the last. */
export const removeOwnCgroup = (volumeId: string): void => {
	for (const {mountPoint} of trackingCgroups(readFileSync('/proc/self/cgroup', 'utf8'), readMountTable())) {
		for (const directory of [join(mountPoint, parentName, volumeId), join(mountPoint, parentName)]) {
			try {
				rmdirSync(directory);
			} catch {
				// There is none, or it is in use: by a zombie that nobody reaps yet, or by another volume.
			}
		}
	}
};
