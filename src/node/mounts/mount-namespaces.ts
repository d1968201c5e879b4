import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {parseMountTable, type Mount} from './mount-table.ts';

/** The mounts of another mount namespace than ours, as a container has one. */
export type MountNamespace = {
	readonly mounts: readonly Mount[];
	/**
	What tells whose it is: the control groups of a process in it, and what its mounts show (the kubelet mounts files
	of each pod's directory, such as `etc-hosts`).
	*/
	readonly traces: string;
};

/** Every mount namespace in which a process runs but our own. Reads /proc alone, so it never touches a mount. */
export const readOtherNamespaces = (): MountNamespace[] => {
	const seen = new Set<string>([namespaceOf('self') ?? '']);
	const namespaces: MountNamespace[] = [];
	for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
		const id = namespaceOf(pid);
		if (id !== undefined && !seen.has(id)) {
			const table = readProcFile(pid, 'mountinfo');
			if (table !== undefined && table !== '') {
				seen.add(id);
				const mounts = parseMountTable(table);
				// Not their paths: a container that sees all of the host's directories has those of every pod.
				namespaces.push({
					mounts,
					traces: `${mounts.map(({root}) => root).join('\n')}\n${readProcFile(pid, 'cgroup') ?? ''}`,
				});
			}
		}
	}

	return namespaces;
};

/**
Mounts of these devices that are on top at their place: every use of them fails, and no new mount has come to lie on
them.
*/
export const uncoveredMounts = (mounts: readonly Mount[], devices: ReadonlySet<string>): Mount[] =>
	mounts.filter(
		mount =>
			devices.has(mount.device) && !mounts.some(other => other.parentId === mount.id && other.path === mount.path),
	);

/**
Whether a namespace is one of the pod's containers: its uid is in what the kubelet mounts there, or in its control
group's name.
*/
export const belongsToPod = ({traces}: MountNamespace, uid: string): boolean =>
	[`/${uid}/`, `pod${uid}`, `pod${uid.replaceAll('-', '_')}`].some(trace => traces.includes(trace));

const namespaceOf = (pid: string): string | undefined => {
	try {
		return readlinkSync(`/proc/${pid}/ns/mnt`);
	} catch {
		return undefined; // It has just ended.
	}
};

const readProcFile = (pid: string, name: string): string | undefined => {
	try {
		return readFileSync(`/proc/${pid}/${name}`, 'utf8');
	} catch {
		return undefined; // It has just ended.
	}
};
