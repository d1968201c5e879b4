import {readFile, readdir, readlink} from 'node:fs/promises';
import {nameOf} from '../model/object-key.ts';
import {readMounts, type MountInfo} from './mount-info.ts';

/** The device of a file system. */
export type Device = Pick<MountInfo, 'major' | 'minor'>;

/**
Whether a process has a file open under another descriptor than the one that it closes just now: a shell that redirects
output (`command > file`) opens the file, copies the descriptor with dup2(2), closes the first, and only then runs the
command that writes. The file is told by its file system and its path in there: files of other disks may have the same
path. `false` where that cannot be seen.
*/
export const hasOtherDescriptor = async (
	threadId: number,
	{device, path}: {device: Device; path: string},
): Promise<boolean> => {
	try {
		const descriptors = await readdir(`/proc/${threadId}/fd`);
		if (descriptors.length > descriptorCountMax) {
			return false;
		}

		// The link is text from the kernel: the file itself is not touched.
		const targets = await Promise.all(
			descriptors.map(async descriptor => ({
				descriptor,
				target: await readlink(`/proc/${threadId}/fd/${descriptor}`).catch(() => ''),
			})),
		);
		const candidates = targets.filter(({target}) => target.endsWith(`/${nameOf(path)}`));
		if (candidates.length === 0) {
			return false;
		}

		const mounts = (await readMounts(threadId)).filter(
			({major, minor}) => major === device.major && minor === device.minor,
		);
		const isOurs = async ({descriptor, target}: (typeof candidates)[number]): Promise<boolean> => {
			const mountId = await readMountId(threadId, descriptor);
			const mount = mounts.find(({id}) => id === mountId);
			return mount !== undefined && pathInFileSystem(mount, target) === path;
		};

		return (await Promise.all(candidates.map(async candidate => isOurs(candidate)))).includes(true);
	} catch {
		return false; // The process is gone, or we may not see it: the caller works without it.
	}
};

/** A process with more of them is no shell that redirects. */
const descriptorCountMax = 64;

/** proc_pid_fdinfo(5): `pos:	0`, `flags:	02100000`, `mnt_id:	19`. */
const readMountId = async (threadId: number, descriptor: string): Promise<string | undefined> =>
	/^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/${threadId}/fdinfo/${descriptor}`, 'utf8'))?.[1];

/** Where a path below a mount lies in its file system, without the leading slash; a pod may see a part of a volume. */
export const pathInFileSystem = (
	{root, mountPoint}: Pick<MountInfo, 'root' | 'mountPoint'>,
	path: string,
): string | undefined => {
	const directory = withoutFinalSlash(mountPoint);
	return path.startsWith(`${directory}/`)
		? (withoutFinalSlash(root) + path.slice(directory.length)).slice(1)
		: undefined;
};

const withoutFinalSlash = (path: string): string => (path.endsWith('/') ? path.slice(0, -1) : path);
