import {readFileSync} from 'node:fs';

/** One mount as the kernel lists it; reading it touches no file system, so a dead or hanging mount cannot stop us. */
export type Mount = {
	readonly id: string;
	/** The mount that this one lies on. */
	readonly parentId: string;
	/** `major:minor` of the super block: every bind mount of one file system has the same. */
	readonly device: string;
	/** The directory of the file system that is shown at `path`. */
	readonly root: string;
	readonly path: string;
	readonly options: readonly string[];
	/**
	Whoever is in the same group (`shared:`), in any mount namespace, gets what is mounted on this mount, and gives
	likewise.
	*/
	readonly peerGroup?: string | undefined;
	/** The group that this mount gets from without giving (`master:`), as a container with `HostToContainer` does. */
	readonly masterGroup?: string | undefined;
	readonly type: string;
	readonly source: string;
	/** Of the file system, not of this mount of it. */
	readonly superOptions: readonly string[];
};

/** The mounts of this process's namespace, the upper ones of a stack last. */
export const readMountTable = (path = '/proc/self/mountinfo'): Mount[] => parseMountTable(readFileSync(path, 'utf8'));

/**
Parses mountinfo as proc_pid_mountinfo(5) has it: `id parent major:minor root path options [tags…] - type source
superOptions`.
*/
export const parseMountTable = (text: string): Mount[] => {
	const mounts: Mount[] = [];
	for (const line of text.split('\n')) {
		const [left, right] = line.split(' - ', 2);
		const [id, parentId, device, root, path, options, ...tags] = (left ?? '').split(' ');
		const [type, source, superOptions] = (right ?? '').split(' ');
		if (
			id !== undefined &&
			parentId !== undefined &&
			device !== undefined &&
			root !== undefined &&
			path !== undefined &&
			options !== undefined &&
			type !== undefined
		) {
			mounts.push({
				id,
				parentId,
				device,
				root: unescapePath(root),
				path: unescapePath(path),
				options: options.split(','),
				peerGroup: tagOf(tags, 'shared'),
				masterGroup: tagOf(tags, 'master'),
				type,
				source: unescapePath(source ?? ''),
				superOptions: (superOptions ?? '').split(','),
			});
		}
	}

	return mounts;
};

const tagOf = (tags: readonly string[], name: string): string | undefined =>
	tags.find(tag => tag.startsWith(`${name}:`))?.slice(name.length + 1);

/** The mounts at exactly this path; the last one is on top. */
export const mountsAt = (mounts: readonly Mount[], path: string): Mount[] =>
	mounts.filter(mount => mount.path === path);

/** The mount that a path without symbolic links lies on; the upper ones of a stack win. */
export const mountOf = (mounts: readonly Mount[], path: string): Mount | undefined =>
	mounts
		.filter(mount => mount.path === path || mount.path === '/' || path.startsWith(`${mount.path}/`))
		.reduce<Mount | undefined>(
			(nearest, mount) => (nearest === undefined || mount.path.length >= nearest.path.length ? mount : nearest),
			undefined,
		);

/**
The kernel writes space, tab, line feed and backslash (and `#` in some versions) as three octal digits of one byte.
Bytes, not characters: so the unescaping is done on latin1, which maps each byte to one character.
*/
const unescapePath = (escaped: string): string =>
	escaped.includes('\\')
		? Buffer.from(
				Buffer.from(escaped, 'utf8')
					.toString('latin1')
					.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
				'latin1',
			).toString('utf8')
		: escaped;
