import type {Notice, WatchReport} from '../healing/watch-message.ts';

/** What the agent knows right now: the source of its metrics, probes and status page. */
export type AgentSnapshot = {
	readonly version: string;
	/** The Kubernetes node's name; empty outside a cluster. */
	readonly nodeName: string;
	readonly startedAtMs: number;
	/** Where the driver was put and what is installed; absent until the first installation has ended. */
	readonly installation?: AgentInstallation | undefined;
	/** The newest report of the watch on this node; absent before the first. */
	readonly report?: WatchReport | undefined;
	/** Newest last, bounded. */
	readonly notices: readonly Notice[];
	/** What keeps the agent from being ready, one sentence each with a remedy; empty when all is well. */
	readonly problems: readonly string[];
};

export type AgentInstallation = {
	readonly pluginDirectory: string;
	readonly pluginDirectorySource: 'option' | 'kubelet' | 'default';
	/** The directory of the version in use, on the node. */
	readonly runtimeDirectory: string;
	/** Versions on the node, the one in use included. */
	readonly versions: readonly string[];
};
