import {lstatSync, mkdirSync, readlinkSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {NodeError} from '../node/node-error.ts';
import {copyTree, repairFiles} from './copy-tree.ts';
import {removeLeftOvers, replaceFile, replaceLink, syncDirectory, temporarySibling} from '../node/host/durable-file.ts';
import {assertRoom} from './file-system-checks.ts';
import {reach, type NodeRoot} from './node-root.ts';
import {describeTree, findDamage, manifestName, readManifest, type RuntimeManifest} from './runtime-manifest.ts';
import type {RuntimeSource} from './runtime-source.ts';
import {testRuntime} from './self-test.ts';

export type InstalledRuntime = {
	/** The name of its directory below the runtime directory. */
	readonly name: string;
	/** Whether anything was copied. */
	readonly isChanged: boolean;
};

type InstallRuntimeOptions = {
	readonly root: NodeRoot;
	readonly source: RuntimeSource;
	/** Of the node, without symbolic links; holds one directory for each version, and `current`. */
	readonly directory: string;
	/** Reads every byte of what is installed, not only names, sizes and modes. */
	readonly isThorough: boolean;
	readonly signal: AbortSignal;
};

/** What an installer that was killed may have left in the runtime directory. */
const leftOver = /^\..+\.[\da-f]{12}$/;

/** Each file takes whole blocks of the file system. */
const blockBytes = 4096;

/**
Puts the runtime onto the node and makes it `current`; the caller holds the lock of the directory. It is copied
under a hidden name, started there, and renamed: a directory with a version's name is always whole. Another build of
the same version gets a directory of its own, for daemons run from the old one. Damaged files of an installed tree
are put back one by one.
*/
export const installRuntime = async (options: InstallRuntimeOptions): Promise<InstalledRuntime> => {
	const {root, source, directory} = options;
	removeLeftOvers(reach(root, directory), leftOver);
	const name = await chooseName(options);
	const home = reach(root, join(directory, name));
	const isNew = lstatSync(home, {throwIfNoEntry: false}) === undefined;
	const isChanged = isNew ? await copyNew(options, name) : await repair(options, home);
	if (!isNew && isChanged) {
		await testRuntime(root, join(directory, name));
	}

	const isSwitched = pointCurrent(join(reach(root, directory), 'current'), name);
	if (readManifest(home)?.hash !== source.manifest.hash) {
		throw new NodeError(
			`${join(directory, name)} on the node is not the runtime that was just installed there: is another installer at work?`,
		);
	}

	return {name, isChanged: isChanged || isSwitched};
};

/** The version's own name, unless another build of that version has it. */
const chooseName = async ({root, source: {manifest}, directory}: InstallRuntimeOptions): Promise<string> => {
	const home = reach(root, join(directory, manifest.version));
	const status = lstatSync(home, {throwIfNoEntry: false});
	if (status === undefined) {
		return manifest.version;
	}

	if (!status.isDirectory()) {
		throw new NodeError(
			`Cannot install the runtime: ${join(directory, manifest.version)} on the node is ${status.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}, and a directory is expected there; take it away`,
		);
	}

	const installed = readManifest(home);
	if (installed !== undefined) {
		return installed.hash === manifest.hash ? manifest.version : besideName(manifest);
	}

	// It may have been unpacked by hand. It counts as ours if it is the same, byte by byte.
	if ((await describeTree(home, manifest.version)).hash !== manifest.hash) {
		return besideName(manifest);
	}

	await writeManifest(home, manifest);
	return manifest.version;
};

const besideName = ({version, hash}: RuntimeManifest): string => `${version}-${hash.slice(0, 8)}`;

const copyNew = async (
	{root, source: {directory: sourceDirectory, manifest}, directory, signal}: InstallRuntimeOptions,
	name: string,
): Promise<boolean> => {
	assertRoom(root, directory, neededBytes(manifest));
	const temporary = temporarySibling(join(directory, name));
	const reached = reach(root, temporary);
	try {
		mkdirSync(reached, {mode: 0o755});
		await copyTree(sourceDirectory, reached, manifest, signal);
		await writeManifest(reached, manifest);
		await testRuntime(root, temporary);
		renameSync(reached, reach(root, join(directory, name)));
	} catch (error) {
		rmSync(reached, {recursive: true, force: true});
		throw error;
	}

	syncDirectory(reach(root, directory));
	return true;
};

const repair = async ({root, source, directory, isThorough}: InstallRuntimeOptions, home: string): Promise<boolean> => {
	const damaged = await findDamage(home, source.manifest, {withContents: isThorough});
	if (damaged.length > 0) {
		assertRoom(
			root,
			directory,
			damaged.reduce((sum, {bytes}) => sum + bytes, 0),
		);
		await repairFiles(source.directory, home, damaged);
	}

	if (readManifest(home)?.hash !== source.manifest.hash) {
		await writeManifest(home, source.manifest);
	}

	return damaged.length > 0;
};

const writeManifest = async (home: string, manifest: RuntimeManifest): Promise<void> =>
	replaceFile(join(home, manifestName), `${JSON.stringify({...manifest, installedAtMs: Date.now()})}\n`, {mode: 0o644});

/** Relative, so that it leads to the same place from here and on the node. */
const pointCurrent = (link: string, name: string): boolean => {
	const status = lstatSync(link, {throwIfNoEntry: false});
	if (status !== undefined && !status.isSymbolicLink()) {
		throw new NodeError(
			`Cannot make this version the current one: ${link} is not a symbolic link; move it away: running daemons do not need it`,
		);
	}

	if (status !== undefined && readlinkSync(link) === name) {
		return false;
	}

	replaceLink(link, name);
	return true;
};

const neededBytes = ({files}: RuntimeManifest): number =>
	files.reduce((sum, {bytes}) => sum + Math.ceil(bytes / blockBytes) * blockBytes, 0);
