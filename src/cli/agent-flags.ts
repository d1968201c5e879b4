import type {Argv} from 'yargs';
import {defaultServiceAccountDirectory} from '../agent/kubernetes/cluster-access.ts';
import {logLevels} from '../model/log-level.ts';
import {defaultPluginDirectory} from '../node/host/plugin-directories.ts';

export type AgentFlags = {
	'host-pid'?: string | undefined;
	'node-name'?: string | undefined;
	source?: string | undefined;
	'runtime-directory'?: string | undefined;
	'plugin-directory'?: string | undefined;
	policy?: string | undefined;
	'metrics-listen'?: string | undefined;
	'status-listen'?: string | undefined;
	'service-account-directory': string;
	once: boolean;
	uninstall: boolean;
	'discard-journals': boolean;
	'log-level': string;
};

export const defaultRuntimeDirectory = '/opt/pnx-volume';

export const addAgentFlags = (yargs: Argv): Argv<AgentFlags> =>
	addPlaceFlags(yargs)
		.option('policy', {
			type: 'string',
			requiresArg: true,
			describe: 'File of the node policy, mounted from the ConfigMap; copied to the node when it changes',
			defaultDescription: 'the policy that the node has',
		})
		.option('metrics-listen', {
			type: 'string',
			requiresArg: true,
			describe: 'Serve /metrics, /healthz and /readyz at this address, such as :9809',
			defaultDescription: 'not at all',
		})
		.option('status-listen', {
			type: 'string',
			requiresArg: true,
			describe: 'Serve the status page at this address, such as 127.0.0.1:9810',
			defaultDescription: 'not at all',
		})
		.option('service-account-directory', {
			type: 'string',
			requiresArg: true,
			default: defaultServiceAccountDirectory,
			describe: 'Directory with the token and the CA for the API server',
		})
		.option('once', {type: 'boolean', default: false, describe: 'Copy the policy, install, and end'})
		.option('uninstall', {
			type: 'boolean',
			default: false,
			describe: 'Remove everything from the node; fails with a list and exit code 1 while volumes are used',
		})
		.option('discard-journals', {
			type: 'boolean',
			default: false,
			describe: 'With --uninstall: also remove files that have not reached S3',
		})
		.option('log-level', {
			type: 'string',
			default: 'info',
			requiresArg: true,
			describe: `Lowest level of the JSON lines on stdout: ${logLevels.join(', ')}`,
		})
		.example('$0 agent --host-pid 1 --policy /etc/pnx-volume/policy/policy.json', 'In the container of the DaemonSet')
		.example('$0 agent --once --source build/pnx-volume-0.1.0-linux-x64', 'By hand, on a node: install and end')
		.example('$0 agent --uninstall --host-pid 1', 'Leave the node as it was before')
		.epilogue(
			'Variables: NODE_NAME (the node), KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT (the API server; without them there are no Events), ' +
				'and those of every command: PNX_VOLUME_STATE_DIR, PNX_VOLUME_RUN_DIR, PNX_VOLUME_LOG, PNX_VOLUME_POLICY, PNX_VOLUME_LAUNCH, PNX_VOLUME_IDLE_MS, PNX_VOLUME_MOUNT_TIMEOUT_MS, PNX_VOLUME_DRAIN_TIMEOUT_MS, ' +
				'all of them describe the node, and the installed driver uses the same.',
		);

/** The node, and where things lie on it. */
const addPlaceFlags = (yargs: Argv) =>
	yargs
		.option('host-pid', {
			type: 'string',
			requiresArg: true,
			describe:
				'In a container with hostPID: a process of the node (1), through which its files and namespaces are reached',
			defaultDescription: 'this machine is the node',
		})
		.option('node-name', {
			type: 'string',
			requiresArg: true,
			describe: 'The name of this node in Kubernetes',
			defaultDescription: 'the variable NODE_NAME',
		})
		.option('source', {
			type: 'string',
			requiresArg: true,
			describe: 'The packaged runtime to install',
			defaultDescription: 'the one that this command belongs to',
		})
		.option('runtime-directory', {
			type: 'string',
			requiresArg: true,
			describe: 'Directory of the node that keeps versions of the runtime: persistent, and not mounted noexec',
			defaultDescription: defaultRuntimeDirectory,
		})
		.option('plugin-directory', {
			type: 'string',
			requiresArg: true,
			describe: 'Where the kubelet looks for drivers (its --volume-plugin-dir)',
			defaultDescription: `the directory that the kubelet uses, else ${defaultPluginDirectory}`,
		});
