import {resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {CommandModule} from 'yargs';
import {parseListenAddress} from '../agent/http/listen-address.ts';
import {InstallationKeeper} from '../agent/installation-keeper.ts';
import {askPluginDirectory} from '../agent/kubernetes/ask-plugin-directory.ts';
import {findClusterAccess} from '../agent/kubernetes/cluster-access.ts';
import {createKubernetesClient, type KubernetesClient} from '../agent/kubernetes/kubernetes-client.ts';
import {PluginDirectoryFinder} from '../agent/plugin-directory.ts';
import {copyPolicy} from '../agent/policy-copy.ts';
import {runAgent, type AgentOptions} from '../agent/run-agent.ts';
import {assertNodeReachable} from '../install/assert-node-reachable.ts';
import {readKubeletPluginDirectory} from '../install/kubelet-settings.ts';
import {createNodeRoot, type NodeRoot} from '../install/node-root.ts';
import {findLogLevel, logLevels, type LogLevel} from '../model/log-level.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {createLogger, type Logger} from '../observability/logger.ts';
import {addAgentFlags, defaultRuntimeDirectory, type AgentFlags} from './agent-flags.ts';
import {uninstallAgent} from './agent-uninstall.ts';
import {packageVersion} from '../daemon/package-version.ts';
import {UsageError} from './usage-error.ts';

/** `agent`: what the DaemonSet runs on each node. */
export const agentCommand = (environment: NodeEnvironment): CommandModule<object, AgentFlags> => ({
	command: 'agent',
	describe: 'Install the driver on this node, and watch over its volumes',
	builder: yargs => addAgentFlags(yargs),
	async handler(flags) {
		const version = packageVersion();
		const variables = pickVariables(process.env);
		const client = createClient(flags);
		const nodeName = flags['node-name'] ?? process.env['NODE_NAME'] ?? '';
		const log = createLogger({
			level: parseLevel(flags['log-level']),
			destination: 1,
			isSynchronous: true,
			fields: {component: 'agent', ...(nodeName === '' ? {} : {node: nodeName})},
		});
		const ending = new AbortController();
		for (const signal of ['SIGTERM', 'SIGINT'] as const) {
			process.once(signal, () => ending.abort());
		}

		const root = openNode(flags, {isInPod: client !== undefined});
		if (flags.uninstall) {
			await uninstallAgent({root, environment, flags, client, nodeName, signal: ending.signal});
			return;
		}

		if (flags['discard-journals']) {
			throw new UsageError('--discard-journals goes with --uninstall only');
		}

		const options = toAgentOptions({flags, root, environment, version, variables, client, nodeName, log});
		await (flags.once ? installOnce(options, ending.signal) : runAgent(options, ending.signal));
	},
});

type OptionsContext = {
	readonly flags: AgentFlags;
	readonly root: NodeRoot;
	readonly environment: NodeEnvironment;
	readonly version: string;
	readonly variables: Readonly<Record<string, string>>;
	readonly client: KubernetesClient | undefined;
	readonly nodeName: string;
	readonly log: Logger;
};

const toAgentOptions = ({
	flags,
	root,
	environment,
	version,
	variables,
	client,
	nodeName,
	log,
}: OptionsContext): AgentOptions => {
	for (const address of [flags['metrics-listen'], flags['status-listen']]) {
		if (address !== undefined) {
			parseListenAddress(address);
		}
	}

	const ask =
		client === undefined || nodeName === ''
			? undefined
			: async (signal: AbortSignal) => askPluginDirectory(client, nodeName, signal);
	const option = flags['plugin-directory'] === undefined ? undefined : resolve(flags['plugin-directory']);
	const pluginDirectory = new PluginDirectoryFinder({
		option,
		look: () => readKubeletPluginDirectory(root),
		ask,
		log,
	});
	return {
		version,
		nodeName,
		variables,
		client,
		log,
		root,
		// Two levels up in `src` and `dist`, and in the bundles of `npm run package`.
		sourceDirectory: resolve(flags.source ?? fileURLToPath(new URL('../..', import.meta.url))),
		runtimeDirectory: resolve(flags['runtime-directory'] ?? defaultRuntimeDirectory),
		stateDirectory: environment.stateDirectory,
		findPluginDirectory: async signal => pluginDirectory.find(signal),
		policy: flags.policy === undefined ? undefined : {source: resolve(flags.policy), target: environment.policyPath},
		metricsListen: flags['metrics-listen'],
		statusListen: flags['status-listen'],
	};
};

/** Policy and installation, as the agent does first; what is wrong is an error. */
const installOnce = async (options: AgentOptions, signal: AbortSignal): Promise<void> => {
	const {policy, root, log} = options;
	const copied = policy === undefined ? undefined : await copyPolicy({root, ...policy});
	if (copied?.problem !== undefined) {
		throw new NodeError(copied.problem);
	}

	const keeper = new InstallationKeeper({...options, signal});
	await keeper.check();
	const problem = keeper.problem;
	if (problem !== undefined) {
		throw new NodeError(problem);
	}

	await keeper.close();
	log.info(keeper.installation, 'installation checked');
};

const openNode = (flags: AgentFlags, {isInPod}: {isInPod: boolean}): NodeRoot => {
	const hostPid = parseHostPid(flags);
	if (hostPid === undefined && isInPod) {
		throw new UsageError(
			'In a pod the agent needs --host-pid 1 (and hostPID: true), or it would install into its own container',
		);
	}

	const root = createNodeRoot(hostPid);
	assertNodeReachable(root);
	return root;
};

const createClient = (flags: AgentFlags): KubernetesClient | undefined => {
	const access = findClusterAccess(process.env, flags['service-account-directory']);
	return access === undefined ? undefined : createKubernetesClient(access);
};

const parseHostPid = ({'host-pid': hostPid}: AgentFlags): number | undefined => {
	if (hostPid !== undefined && !/^[1-9]\d{0,8}$/.test(hostPid)) {
		throw new UsageError(
			`--host-pid takes the number of a process, such as 1: current value is "${hostPid.slice(0, 40)}"`,
		);
	}

	return hostPid === undefined ? undefined : Number(hostPid);
};

const parseLevel = (value: string): LogLevel => {
	const level = findLogLevel(value);
	if (level === undefined) {
		throw new UsageError(`--log-level takes one of ${logLevels.join(', ')}: current value is "${value.slice(0, 40)}"`);
	}

	return level;
};

/**
What the driver and the watch on the node have to know as well. Where this process has its own programs is not among
it.
*/
const pickVariables = (variables: NodeJS.ProcessEnv): Record<string, string> =>
	Object.fromEntries(
		Object.entries(variables)
			.flatMap(([name, value]) =>
				/^PNX_VOLUME_[A-Z_]+$/.test(name) &&
				!['PNX_VOLUME_DAEMON', 'PNX_VOLUME_HOME'].includes(name) &&
				value !== undefined &&
				value !== ''
					? [[name, value] as const]
					: [],
			)
			.sort(([a], [b]) => a.localeCompare(b)),
	);
