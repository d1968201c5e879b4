import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {assertExecutable} from './file-system-checks.ts';
import {installLauncher} from './install-launcher.ts';
import {installRuntime} from './install-runtime.ts';
import {writeLauncher} from './launcher-text.ts';
import {withInstallLock} from './install-lock.ts';
import {ensureDirectory, type NodeRoot} from './node-root.ts';
import {listVersions, pruneRuntimes} from './prune-runtimes.ts';
import type {RuntimeSource} from './runtime-source.ts';

export type InstallOptions = {
	readonly root: NodeRoot;
	readonly source: RuntimeSource;
	/** All of these are paths of the node. */
	readonly runtimeDirectory: string;
	readonly pluginDirectory: string;
	readonly stateDirectory: string;
	/** PNX_VOLUME_* for the driver. */
	readonly variables: Readonly<Record<string, string>>;
	/** Reads every byte of what is installed; otherwise names, sizes and modes. */
	readonly isThorough: boolean;
	readonly signal: AbortSignal;
};

export type InstallOutcome = {
	/** The version in use: its directory on the node. */
	readonly runtimeDirectory: string;
	readonly driverPath: string;
	readonly versions: readonly string[];
	readonly isRuntimeChanged: boolean;
	readonly isDriverChanged: boolean;
	readonly removedVersions: readonly string[];
	/** Why no old version was removed, if that is so. */
	readonly pruneDoubt: string | undefined;
};

/**
Everything that the driver needs on a node, in an order that leaves it working wherever it is cut off: the runtime
whole, then `current`, then the driver, then old versions away. Nothing is written when all is there already. One
installer at a time, by a lock on the node.
*/
export const installOnNode = async (options: InstallOptions): Promise<InstallOutcome> => {
	const {root, source, pluginDirectory, stateDirectory, variables} = options;
	const configured = resolve(options.runtimeDirectory);
	// Before anything is copied: a path that the launcher cannot hold is refused.
	const text = writeLauncher(readFileSync(join(source.directory, 'driver', 'volume'), 'utf8'), {
		runtimeLink: join(configured, 'current'),
		variables,
	});
	const directory = ensureDirectory(root, configured, {mode: 0o755});
	assertExecutable(root, directory, 'The runtime');
	return withInstallLock(root, directory, async () => {
		const runtime = await installRuntime({...options, directory});
		const driver = await installLauncher({root, pluginDirectory, text});
		const {removed, doubt} = pruneRuntimes({root, directories: [...new Set([directory, configured])], stateDirectory});
		return {
			runtimeDirectory: join(directory, runtime.name),
			driverPath: driver.path,
			versions: listVersions(root, directory).map(({name}) => name),
			isRuntimeChanged: runtime.isChanged,
			isDriverChanged: driver.isChanged,
			removedVersions: removed,
			pruneDoubt: doubt,
		};
	});
};
