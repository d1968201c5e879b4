import {mkdirSync} from 'node:fs';
import {copyFile, open, rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {NodeError} from '../node/node-error.ts';
import {syncDirectory, temporarySibling} from '../node/host/durable-file.ts';
import {hashFile, type RuntimeFile, type RuntimeManifest} from './runtime-manifest.ts';

/**
Copies the files of a manifest into a new directory: root's, with their modes, on disk when it returns, and as the
manifest says.
*/
export const copyTree = async (
	source: string,
	target: string,
	{files}: RuntimeManifest,
	signal: AbortSignal,
): Promise<void> => {
	const directories = new Set<string>([target]);
	for (const file of files) {
		signal.throwIfAborted();
		for (let directory = dirname(file.path); directory !== '.'; directory = dirname(directory)) {
			directories.add(join(target, directory));
		}

		mkdirSync(dirname(join(target, file.path)), {recursive: true, mode: 0o755});
		await copyOne(join(source, file.path), join(target, file.path), file);
	}

	for (const directory of directories) {
		syncDirectory(directory);
	}
};

/**
Puts single files of an installed tree back as they should be. Each is replaced at once; who has the old one open
keeps it.
*/
export const repairFiles = async (source: string, target: string, damaged: readonly RuntimeFile[]): Promise<void> => {
	for (const file of damaged) {
		const path = join(target, file.path);
		// Beside the tree, where the left-overs of an installer that was killed are looked for.
		const temporary = temporarySibling(join(dirname(target), 'repair'));
		try {
			mkdirSync(dirname(path), {recursive: true, mode: 0o755});
			await copyOne(join(source, file.path), temporary, file);
			await rename(temporary, path);
		} catch (error) {
			await rm(temporary, {force: true});
			throw error;
		}

		syncDirectory(dirname(path));
	}
};

const copyOne = async (source: string, target: string, {path, mode, sha256}: RuntimeFile): Promise<void> => {
	await copyFile(source, target);
	const file = await open(target, 'r+');
	try {
		await file.chown(0, 0);
		await file.chmod(mode);
		await file.sync();
	} finally {
		await file.close();
	}

	if ((await hashFile(target)) !== sha256) {
		throw new NodeError(
			`${target} differs from what was copied there: ${path} of the source changed meanwhile, or the disk of the node is failing; look at the kernel's log (dmesg)`,
		);
	}
};
