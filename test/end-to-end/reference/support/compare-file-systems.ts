import type {FileSystem} from '../../../../src/filesystem/filesystem.ts';
import {joinPath} from '../../../../src/model/object-key.ts';
import {isMagicTime, readRange} from './random-operations.ts';

/** Everything that a user can see of a tree: one line for each entry, by path. */
export const describeTree = async (fileSystem: FileSystem, directory = ''): Promise<Map<string, string>> => {
	const lines = new Map<string, string>();
	for (const name of (await listNames(fileSystem, directory)).toSorted()) {
		const path = joinPath(directory, name);
		lines.set(path, await describeEntry(fileSystem, path));
		if ((await fileSystem.getattr({path})).kind === 'directory') {
			for (const [below, line] of await describeTree(fileSystem, path)) {
				lines.set(below, line);
			}
		}
	}

	return lines;
};

const listNames = async (fileSystem: FileSystem, directory: string): Promise<string[]> => {
	const handle = await fileSystem.opendir(directory);
	const names: string[] = [];
	for (let offset = 0; ; ) {
		const entries = await fileSystem.readdir(handle, offset);
		if (entries.length === 0) {
			await fileSystem.releasedir(handle);
			return names;
		}

		names.push(...entries.map(({name}) => name).filter(name => name !== '.' && name !== '..'));
		offset = entries.at(-1)!.nextOffset; // Not empty: checked above.
	}
};

const describeEntry = async (fileSystem: FileSystem, path: string): Promise<string> => {
	const {kind, permissions, uid, gid, sizeBytes, mtimeNs} = await fileSystem.getattr({path});
	const words = [kind, permissions.toString(8), `${uid}:${gid}`];
	if (kind === 'file') {
		const {handle} = await fileSystem.open(path, {
			read: true,
			write: false,
			append: false,
			truncate: false,
			create: false,
			exclusive: false,
		});
		words.push(
			`${sizeBytes} bytes`,
			`mtime ${isMagicTime(mtimeNs) ? mtimeNs : 'now'}`,
			`[${await readRange(fileSystem, handle, 0, sizeBytes + 100)}]`,
		);
		await fileSystem.flush(handle);
		await fileSystem.release(handle);
	}

	if (kind === 'symlink') {
		words.push(`-> ${await fileSystem.readlink(path)}`, `${sizeBytes} bytes`);
	}

	if (kind === 'file' || kind === 'directory') {
		for (const name of (await fileSystem.listxattr(path)).toSorted()) {
			words.push(`${name}=${Buffer.from((await fileSystem.getxattr(path, name)) ?? '').toString('hex')}`);
		}
	}

	return words.join(' ');
};
