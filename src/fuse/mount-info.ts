import {readFile} from 'node:fs/promises';

/** A line of a table of mounts. */
export type MountInfo = {
	readonly id: string;
	readonly major: number;
	readonly minor: number;
	/** The directory of the file system that is mounted: not `/` for a bind mount of a part. */
	readonly root: string;
	readonly mountPoint: string;
	readonly fileSystemType: string;
	readonly source: string;
};

/** The mounts that a process sees. Reads the table only: never touches a mount, which may be ours. */
export const readMounts = async (processId: number | 'self'): Promise<MountInfo[]> =>
	parseMountInfo(await readFile(`/proc/${processId}/mountinfo`, 'utf8'));

/**
What is mounted on a directory in our mount namespace, the topmost when there are several; `undefined` when it is no
mount point.
*/
export const findMount = async (directory: string): Promise<MountInfo | undefined> =>
	(await readMounts('self')).findLast(({mountPoint}) => mountPoint === directory);

/** proc_pid_mountinfo(5): `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/root rw`. */
export const parseMountInfo = (table: string): MountInfo[] =>
	table.split('\n').flatMap(line => {
		const [id, , device = '', root = '', mountPoint = '', ...fields] = line.split(' ');
		const separator = fields.indexOf('-');
		const [major, minor] = device.split(':').map(Number);
		if (id === undefined || separator === -1 || major === undefined || minor === undefined) {
			return [];
		}

		return {
			id,
			major,
			minor,
			root: unescapeOctal(root),
			mountPoint: unescapeOctal(mountPoint),
			fileSystemType: fields[separator + 1] ?? '',
			source: unescapeOctal(fields[separator + 2] ?? ''),
		};
	});

/** Spaces, tabs, newlines and backslashes are written as `\040` and so on. */
const unescapeOctal = (field: string): string =>
	field.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
