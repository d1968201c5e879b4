import {lstatSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {driverDirectoryName, driverName} from './install-launcher.ts';
import {reach, resolveOnNode, type NodeRoot} from './node-root.ts';

/** A driver of ours on the node, and what its installer has written into it. */
export type InstalledLauncher = {
	readonly path: string;
	readonly pluginDirectory: string;
	readonly text: string;
	readonly runtimeDirectory: string;
	readonly variables: Readonly<Record<string, string>>;
};

/** The drivers that an agent has put into these directories. */
export const findLaunchers = (root: NodeRoot, pluginDirectories: readonly string[]): InstalledLauncher[] => {
	const real = new Set(pluginDirectories.map(directory => resolveOnNode(root, directory)));
	return [...real].flatMap(pluginDirectory => {
		const path = join(pluginDirectory, driverDirectoryName, driverName);
		if (lstatSync(reach(root, path), {throwIfNoEntry: false})?.isFile() !== true) {
			return [];
		}

		const text = readFileSync(reach(root, path), 'utf8');
		const runtimeLink = /^runtime=(\/\S+)$/m.exec(text)?.[1];
		return runtimeLink === undefined
			? []
			: [{path, pluginDirectory, text, runtimeDirectory: dirname(runtimeLink), variables: readSettings(text)}];
	});
};

const readSettings = (text: string): Record<string, string> => {
	const settings = /^settings='(.*)'$/m.exec(text)?.[1] ?? '';
	return Object.fromEntries(
		settings
			.split(' ')
			.filter(setting => setting.includes('='))
			.map(setting => [setting.slice(0, setting.indexOf('=')), setting.slice(setting.indexOf('=') + 1)]),
	);
};
