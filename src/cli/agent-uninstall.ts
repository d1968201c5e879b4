import {resolve} from 'node:path';
import {messageOf} from '../model/error-text.ts';
import {askPluginDirectory} from '../agent/kubernetes/ask-plugin-directory.ts';
import type {KubernetesClient} from '../agent/kubernetes/kubernetes-client.ts';
import {findLaunchers, type InstalledLauncher} from '../install/find-launchers.ts';
import {readKubeletPluginDirectory} from '../install/kubelet-settings.ts';
import type {NodeRoot} from '../install/node-root.ts';
import {uninstallFromNode} from '../install/uninstall-from-node.ts';
import {knownPluginDirectories} from '../node/host/plugin-directories.ts';
import {readNodeEnvironment, type NodeEnvironment} from '../node/node-environment.ts';
import {defaultRuntimeDirectory, type AgentFlags} from './agent-flags.ts';

type UninstallContext = {
	readonly root: NodeRoot;
	readonly environment: NodeEnvironment;
	readonly flags: AgentFlags;
	readonly client: KubernetesClient | undefined;
	readonly nodeName: string;
	readonly signal: AbortSignal;
};

/**
`agent --uninstall`. Where things are is read from the driver that is installed, so that it needs no options of the
agent that has put it there.
*/
export const uninstallAgent = async ({
	root,
	environment,
	flags,
	client,
	nodeName,
	signal,
}: UninstallContext): Promise<void> => {
	const launchers = findLaunchers(root, await findPluginDirectories({root, flags, client, nodeName, signal}));
	const [launcher] = launchers;
	const places = findPlaces(environment, launcher);
	const runtimeDirectory = resolve(flags['runtime-directory'] ?? launcher?.runtimeDirectory ?? defaultRuntimeDirectory);
	const left = await uninstallFromNode({
		root,
		launchers,
		runtimeDirectory,
		...places,
		isJournalDiscarded: flags['discard-journals'],
	});
	const removed = [
		...launchers.map(({path}) => path),
		runtimeDirectory,
		places.stateDirectory,
		places.runDirectory,
		places.logPath,
	];
	process.stdout.write(
		`Removed from this node: ${removed.join(', ')}\n${left.map(what => `Left: ${what}\n`).join('')}`,
	);
};

/** The directory that the flag names; else the one of the kubelet, and those of all known platforms. */
const findPluginDirectories = async ({
	root,
	flags,
	client,
	nodeName,
	signal,
}: Omit<UninstallContext, 'environment'>): Promise<readonly string[]> => {
	const said = flags['plugin-directory'];
	if (said !== undefined) {
		return [resolve(said)];
	}

	const seen = readKubeletPluginDirectory(root);
	if (seen !== undefined) {
		return [seen, ...knownPluginDirectories];
	}

	if (client === undefined || nodeName === '') {
		return knownPluginDirectories;
	}

	try {
		const asked = await askPluginDirectory(client, nodeName, signal);
		return [...(asked === undefined ? [] : [asked]), ...knownPluginDirectories];
	} catch (error) {
		process.stderr.write(
			`pnx-volume: the kubelet could not be asked for its plugin directory, so the usual ones are searched: ${messageOf(error)}\n`,
		);
		return knownPluginDirectories;
	}
};

/** Where the driver keeps its things: as its installer has told it, else as our own environment says. */
const findPlaces = (
	environment: NodeEnvironment,
	launcher: InstalledLauncher | undefined,
): Pick<NodeEnvironment, 'stateDirectory' | 'runDirectory' | 'logPath'> => {
	const {stateDirectory, runDirectory, logPath} =
		launcher === undefined
			? environment
			: readNodeEnvironment({...process.env, ...launcher.variables}, environment.daemonPath);
	return {stateDirectory, runDirectory, logPath};
};
