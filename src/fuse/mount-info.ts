import {readFile} from 'node:fs/promises';

export type MountInfo = {
	readonly major: number;
	readonly minor: number;
	readonly fileSystemType: string;
	readonly source: string;
};

/**
What is mounted on a directory in our mount namespace, the topmost when there are several; `undefined` when it is no
mount point. Reads the table only: never touches the mount, which may be ours.
*/
export const findMount = async (mountPoint: string): Promise<MountInfo | undefined> =>
	parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'), mountPoint);

/** proc_pid_mountinfo(5): `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/root rw`. */
export const parseMountInfo = (table: string, mountPoint: string): MountInfo | undefined => {
	let found: MountInfo | undefined;
	for (const line of table.split('\n')) {
		const fields = line.split(' ');
		const separator = fields.indexOf('-');
		const [major, minor] = (fields[2] ?? '').split(':').map(Number);
		if (
			separator === -1 ||
			major === undefined ||
			minor === undefined ||
			unescapeOctal(fields[4] ?? '') !== mountPoint
		) {
			continue;
		}

		found = {
			major,
			minor,
			fileSystemType: fields[separator + 1] ?? '',
			source: unescapeOctal(fields[separator + 2] ?? ''),
		};
	}

	return found;
};

/** Spaces, tabs, newlines and backslashes are written as `\040` and so on. */
const unescapeOctal = (field: string): string =>
	field.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
