import {mountsAt, type Mount} from '../mounts/mount-table.ts';

/** One of the trees of cgroups that a process is in: the unified one (v2), or one for each set of controllers (v1). */
export type Hierarchy = {
	readonly mountPoint: string;
	/** Where the process is in it; `/` when it belongs to no service. */
	readonly path: string;
	readonly version: 1 | 2;
	/** Of v1, such as `cpu` and `cpuacct`, or `name=systemd`. */
	readonly controllers: readonly string[];
	/** By this one systemd keeps track of processes: with the cgroup of a service, all in it end. */
	readonly isTracking: boolean;
};

/** Hierarchies of a process, from the text of `/proc/<pid>/cgroup` and the mount table. */
export const findHierarchies = (processCgroups: string, table: readonly Mount[]): Hierarchy[] => {
	const hierarchies: Hierarchy[] = [];
	for (const line of processCgroups.split('\n')) {
		// cgroups(7): `hierarchy id:controllers:path`; the unified hierarchy is `0::path`.
		const [, id, names = '', path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
		if (path === undefined) {
			continue;
		}

		const version = id === '0' ? 2 : 1;
		const controllers = names === '' ? [] : names.split(',');
		const mount = table.find(
			candidate =>
				(version === 2
					? candidate.type === 'cgroup2'
					: candidate.type === 'cgroup' &&
						controllers.length > 0 &&
						controllers.every(controller => candidate.superOptions.includes(controller))) && isOnTop(candidate, table),
		);
		if (mount !== undefined) {
			hierarchies.push({
				mountPoint: mount.path,
				path,
				version,
				controllers,
				isTracking: version === 2 || controllers.includes('name=systemd'),
			});
		}
	}

	return hierarchies;
};

/** Whether the path leads to this mount, and not to one above it. */
const isOnTop = (mount: Mount, table: readonly Mount[]): boolean => mountsAt(table, mount.path).at(-1) === mount;
