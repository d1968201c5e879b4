import {lstatSync, readdirSync, readlinkSync, renameSync, rmSync} from 'node:fs';
import {basename, join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {temporarySibling} from '../node/host/durable-file.ts';
import {reach, type NodeRoot} from './node-root.ts';
import {readManifest} from './runtime-manifest.ts';
import {findRuntimeUsers, type RuntimeUsersQuery} from './runtime-users.ts';

export type InstalledVersion = {
	/** Of its directory. */
	readonly name: string;
	readonly installedAtMs: number;
	readonly isCurrent: boolean;
};

/**
The versions that an installer has put there, the newest first. Versions that were unpacked by hand are left to their
owner.
*/
export const listVersions = (root: NodeRoot, directory: string): InstalledVersion[] => {
	const reached = reach(root, directory);
	const current = readCurrent(reached);
	return readNames(reached)
		.flatMap(name => {
			const manifest = readManifest(join(reached, name));
			return manifest === undefined
				? []
				: [{name, installedAtMs: manifest.installedAtMs ?? 0, isCurrent: name === current}];
		})
		.sort((a, b) => b.installedAtMs - a.installedAtMs);
};

/**
Takes away the versions that nobody uses: not the current one, not the newest before it (to roll back without
copying), none that a live process or a volume needs, and nothing at all while that is not certain. Returns what it
took away, and why nothing if so.
*/
export const pruneRuntimes = (
	query: Omit<RuntimeUsersQuery, 'names'>,
): {removed: string[]; doubt: string | undefined} => {
	const {
		root,
		directories: [directory = ''],
	} = query;
	const candidates = toCandidates(listVersions(root, directory));
	if (candidates.length === 0) {
		return {removed: [], doubt: undefined};
	}

	const {processes, volumes, doubt} = findRuntimeUsers({...query, names: candidates});
	if (doubt !== undefined) {
		return {removed: [], doubt};
	}

	const removed = candidates.filter(name => !processes.has(name) && !volumes.has(name));
	for (const name of removed) {
		removeVersion(root, join(directory, name));
	}

	return {removed, doubt: undefined};
};

/** Out of sight first: half a runtime never has a version's name. */
export const removeVersion = (root: NodeRoot, home: string): void => {
	const hidden = reach(root, temporarySibling(home));
	renameSync(reach(root, home), hidden);
	rmSync(hidden, {recursive: true, force: true});
};

/** Without a current version nobody can say which is in use. */
const toCandidates = (versions: readonly InstalledVersion[]): string[] => {
	const others = versions.filter(({isCurrent}) => !isCurrent);
	return others.length === versions.length ? [] : others.slice(1).map(({name}) => name);
};

const readCurrent = (directory: string): string | undefined => {
	const link = join(directory, 'current');
	return lstatSync(link, {throwIfNoEntry: false})?.isSymbolicLink() === true ? basename(readlinkSync(link)) : undefined;
};

const readNames = (directory: string): string[] => {
	try {
		return readdirSync(directory, {withFileTypes: true})
			.filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
			.map(({name}) => name);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return [];
		}

		throw error;
	}
};
