import {createHash} from 'node:crypto';
import {createReadStream, lstatSync, readdirSync, readFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {NodeError} from '../node/node-error.ts';

export type RuntimeFile = {
	/** Relative to the tree. */
	readonly path: string;
	readonly mode: number;
	readonly bytes: number;
	readonly sha256: string;
};

/** What a runtime is made of. An installed tree has it in `.manifest.json`, so that damage is seen and repaired. */
export type RuntimeManifest = {
	readonly formatVersion: 1;
	readonly version: string;
	/** Over paths, modes and contents: two trees with one hash are the same runtime. */
	readonly hash: string;
	readonly files: readonly RuntimeFile[];
	/** When it came to the node; the order in which versions were installed. */
	readonly installedAtMs?: number | undefined;
};

export const manifestName = '.manifest.json';

const fileCountMax = 10_000;

/** No set-user-id bits, and nothing that others than root could write. */
const safeModeBits = 0o755;

/** Lists and hashes a tree. Refuses what a packaged runtime does not consist of, such as symbolic links. */
export const describeTree = async (directory: string, version: string): Promise<RuntimeManifest> => {
	const files: RuntimeFile[] = [];
	for (const path of listFiles(directory)) {
		const {mode, size} = lstatSync(join(directory, path));
		files.push({path, mode: mode & safeModeBits, bytes: size, sha256: await hashFile(join(directory, path))});
	}

	const hash = createHash('sha256')
		.update(files.map(({path, mode, sha256}) => `${sha256} ${mode.toString(8)} ${path}\n`).join(''))
		.digest('hex');
	return {formatVersion: 1, version, hash, files};
};

/** The files of an installed tree that are not as its manifest says. With `withContents` every byte is read. */
export const findDamage = async (
	directory: string,
	{files}: RuntimeManifest,
	{withContents}: {withContents: boolean},
): Promise<RuntimeFile[]> => {
	const damaged: RuntimeFile[] = [];
	for (const file of files) {
		const path = join(directory, file.path);
		const status = lstatSync(path, {throwIfNoEntry: false});
		const isAsInstalled =
			status !== undefined &&
			status.isFile() &&
			status.size === file.bytes &&
			(status.mode & 0o7777) === file.mode &&
			status.uid === 0;
		if (!isAsInstalled || (withContents && (await hashFile(path)) !== file.sha256)) {
			damaged.push(file);
		}
	}

	return damaged;
};

/** `undefined` when there is none, or none that can be understood. */
export const readManifest = (directory: string): RuntimeManifest | undefined => {
	try {
		const parsed: unknown = JSON.parse(readFileSync(join(directory, manifestName), 'utf8'));
		return isManifest(parsed) ? parsed : undefined;
	} catch (error) {
		if (error instanceof SyntaxError || hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return undefined;
		}

		throw new NodeError(`Cannot read ${join(directory, manifestName)}: ${toReason(error)}`, {cause: error});
	}
};

export const hashFile = async (path: string): Promise<string> => {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path, {highWaterMark: 2 ** 20}), hash);
	return hash.digest('hex');
};

const listFiles = (directory: string): string[] => {
	const entries = readdirSync(directory, {recursive: true, withFileTypes: true});
	const strange = entries.find(entry => !entry.isFile() && !entry.isDirectory());
	if (strange !== undefined || entries.length > fileCountMax) {
		throw new NodeError(
			`${directory} is not a packaged runtime: ${strange === undefined ? `it has more than ${fileCountMax} files` : `${join(strange.parentPath, strange.name)} is neither a file nor a directory`}; build one with npm run package`,
		);
	}

	return entries
		.filter(entry => entry.isFile())
		.map(entry => relative(directory, join(entry.parentPath, entry.name)))
		.filter(path => path !== manifestName)
		.sort();
};

const isManifest = (value: unknown): value is RuntimeManifest =>
	typeof value === 'object' &&
	value !== null &&
	'formatVersion' in value &&
	value.formatVersion === 1 &&
	'version' in value &&
	typeof value.version === 'string' &&
	'hash' in value &&
	typeof value.hash === 'string' &&
	'files' in value &&
	Array.isArray(value.files) &&
	value.files.every(
		(file: unknown) =>
			typeof file === 'object' &&
			file !== null &&
			'path' in file &&
			typeof file.path === 'string' &&
			!file.path.split('/').includes('..') &&
			'sha256' in file &&
			typeof file.sha256 === 'string' &&
			'bytes' in file &&
			typeof file.bytes === 'number' &&
			'mode' in file &&
			typeof file.mode === 'number',
	);
