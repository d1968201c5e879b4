import type {FileSystem} from '../../../src/filesystem/filesystem.ts';
import {joinPath} from '../../../src/model/object-key.ts';

/** Every path of a file system with its kind, for comparing whole trees. */
export const listTree = async (fileSystem: FileSystem, path = ''): Promise<string[]> => {
	const handle = await fileSystem.opendir(path);
	const lines: string[] = [];
	for (let offset = 0; ; ) {
		const entries = await fileSystem.readdir(handle, offset);
		if (entries.length === 0) {
			break;
		}

		for (const entry of entries.filter(({name}) => name !== '.' && name !== '..')) {
			const child = joinPath(path, entry.name);
			const {kind} = await fileSystem.getattr({path: child});
			lines.push(`${kind} ${child}`, ...(kind === 'directory' ? await listTree(fileSystem, child) : []));
		}

		offset = entries.at(-1)!.nextOffset; // Not empty: checked above.
	}

	await fileSystem.releasedir(handle);
	return lines;
};
