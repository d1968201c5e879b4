import {readdir, readlink} from 'node:fs/promises';

/**
Whether a process has a file open under another descriptor than the one that it closes just now: a shell that redirects
output (`command > file`) opens the file, copies the descriptor with dup2(2), closes the first, and only then runs the
command that writes. `false` where that cannot be seen.
*/
export const hasOtherDescriptor = async (threadId: number, path: string): Promise<boolean> => {
	const directory = `/proc/${threadId}/fd`;
	try {
		const descriptors = await readdir(directory);
		if (descriptors.length > descriptorCountMax) {
			return false;
		}

		// The link is text from the kernel: the file itself is not touched.
		const targets = await Promise.all(
			descriptors.map(async descriptor => readlink(`${directory}/${descriptor}`).catch(() => '')),
		);
		return targets.some(target => target.endsWith(`/${path}`));
	} catch {
		return false; // The process is gone, or we may not see it: the caller works without it.
	}
};

/** A process with more of them is no shell that redirects. */
const descriptorCountMax = 64;
