import {existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode, toReason} from '../../model/error-text.ts';
import {findHierarchies, type Hierarchy} from './cgroup-hierarchies.ts';
import type {MemoryLimits} from './daemon-limits.ts';
import {createDeadline, waitUntil} from '../deadline.ts';
import {readMountTable} from '../mounts/mount-table.ts';

/**
A daemon that stayed in the cgroup of the kubelet's service would be killed with it: systemd ends every process of
the cgroup, whatever its session is. One that stayed in those of the agent's container would have its memory,
devices and number of processes. So each daemon gets a cgroup of its own, `/pnx-volume/<volume id>`, in every
hierarchy.
*/
const parentName = 'pnx-volume';

const attemptCountMax = 5;
const removeMs = 1000;

export type OwnCgroup = {
	/** Where systemd looks, the daemon is in its own cgroup or in no service: no other end takes it along. */
	readonly isOwn: boolean;
	/** What did not work, for the log: a host that does not allow it still gets its mount. */
	readonly failures: readonly string[];
};

/**
Moves a process out of the cgroups of its starter, and limits its memory where there is a controller for that. One
that is at the root of a hierarchy belongs to no service, and stays there.
*/
export const moveToOwnCgroup = (pid: number, volumeId: string, memory: MemoryLimits): OwnCgroup => {
	const failures: string[] = [];
	let movedCount = 0;
	let isOwn = true;
	for (const hierarchy of findHierarchies(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), readMountTable())) {
		if (hierarchy.path === '/' && !limitsMemory(hierarchy)) {
			continue;
		}

		try {
			move(pid, hierarchy, {volumeId, memory});
			movedCount++;
		} catch (error) {
			isOwn &&= hierarchy.path === '/' || !hierarchy.isTracking;
			if (hierarchy.path !== '/') {
				failures.push(
					`process ${pid} stays in the cgroup ${hierarchy.controllers.join(',')}:${hierarchy.path}: ${toReason(error)}`,
				);
			}
		}
	}

	return {isOwn: isOwn && movedCount > 0, failures};
};

/**
Removes a volume's cgroups after its daemon has ended, and their parent after the last. The kernel lets go of a
cgroup some milliseconds after its last process is seen as ended, so it is tried again for a while: nobody else
would come for it.
*/
export const removeOwnCgroup = async (volumeId: string): Promise<void> => {
	await waitUntil(() => tryRemoveOwnCgroup(volumeId), createDeadline(removeMs));
};

/** Whether none is left. */
const tryRemoveOwnCgroup = (volumeId: string): boolean => {
	let isLeft = false;
	for (const {path} of readMountTable().filter(({type}) => type === 'cgroup' || type === 'cgroup2')) {
		for (const directory of [join(path, parentName, volumeId), join(path, parentName)]) {
			try {
				rmdirSync(directory);
			} catch (error) {
				// There is none; or it is in use, the parent by another volume.
				isLeft ||= directory.endsWith(volumeId) && hasErrorCode(error, 'EBUSY');
			}
		}
	}

	return !isLeft;
};

/** For a daemon that ends by itself: goes to the roots, for who is in a cgroup cannot remove it. */
export const leaveOwnCgroup = (volumeId: string): void => {
	for (const {path, mountPoint} of findHierarchies(readFileSync('/proc/self/cgroup', 'utf8'), readMountTable())) {
		if (path.endsWith(`/${parentName}/${volumeId}`)) {
			try {
				writeFileSync(join(mountPoint, 'cgroup.procs'), String(process.pid));
			} catch {
				// It is no root of the machine: an empty cgroup stays until the next daemon of the volume ends.
			}
		}
	}

	tryRemoveOwnCgroup(volumeId);
};

/** Tries again when the end of another volume's daemon has taken away the empty parent in between. */
const move = (
	pid: number,
	hierarchy: Hierarchy,
	{volumeId, memory}: {volumeId: string; memory: MemoryLimits},
): void => {
	for (let attempt = 1; ; attempt++) {
		try {
			const directory = createCgroup(hierarchy, volumeId);
			setLimits(hierarchy, directory, memory);
			writeFileSync(join(directory, 'cgroup.procs'), String(pid));
			return;
		} catch (error) {
			if (!hasErrorCode(error, 'ENOENT', 'ENODEV') || attempt === attemptCountMax) {
				throw error;
			}
		}
	}
};

const limitsMemory = ({version, controllers, mountPoint}: Hierarchy): boolean =>
	version === 1 ? controllers.includes('memory') : readWords(join(mountPoint, 'cgroup.controllers')).includes('memory');

const createCgroup = (hierarchy: Hierarchy, volumeId: string): string => {
	let directory = hierarchy.mountPoint;
	for (const name of [parentName, volumeId]) {
		if (hierarchy.version === 2) {
			enableMemory(directory);
		}

		const parent = directory;
		directory = join(directory, name);
		mkdirSync(directory, {recursive: true});
		if (hierarchy.controllers.includes('cpuset')) {
			inheritCpuset(parent, directory);
		}
	}

	return directory;
};

/** In v2, who may limit children says its parent. */
const enableMemory = (directory: string): void => {
	const control = join(directory, 'cgroup.subtree_control');
	if (readWords(join(directory, 'cgroup.controllers')).includes('memory') && !readWords(control).includes('memory')) {
		try {
			writeFileSync(control, '+memory');
		} catch {
			// A root that is none, as in a container: then there is no limit, but still a cgroup.
		}
	}
};

/** A new cgroup of v1's cpuset has neither processors nor memory, and takes no process before it has. */
const inheritCpuset = (parent: string, directory: string): void => {
	for (const name of ['cpuset.cpus', 'cpuset.mems']) {
		if (readWords(join(directory, name)).length === 0) {
			writeFileSync(join(directory, name), readFileSync(join(parent, name), 'utf8').trim());
		}
	}
};

const setLimits = ({version, controllers}: Hierarchy, directory: string, {highBytes, maxBytes}: MemoryLimits): void => {
	const files: ReadonlyArray<readonly [string, number]> =
		version === 2
			? [
					['memory.high', highBytes],
					['memory.max', maxBytes],
				]
			: controllers.includes('memory')
				? [
						['memory.soft_limit_in_bytes', highBytes],
						['memory.limit_in_bytes', maxBytes],
					]
				: [];
	for (const [name, bytes] of files) {
		if (existsSync(join(directory, name))) {
			try {
				writeFileSync(join(directory, name), String(bytes));
			} catch {
				// It may not be limited here, or not so low: a daemon without a limit is better than none.
			}
		}
	}
};

const readWords = (path: string): string[] => {
	try {
		return readFileSync(path, 'utf8')
			.split(/\s+/)
			.filter(word => word !== '');
	} catch {
		return []; // Kernels without the controller lack its files.
	}
};
