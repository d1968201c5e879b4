import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {toReason} from '../model/error-text.ts';
import {findCurrentRuntime} from '../install/current-runtime.ts';
import {toNodeCommandLine, type NodeRoot} from '../install/node-root.ts';
import type {Notice, WatchMessage, WatchReport} from '../healing/watch-message.ts';
import type {Logger} from '../observability/logger.ts';
import type {AgentSnapshot} from './agent-snapshot.ts';
import {AgentServer} from './http/agent-server.ts';
import {InstallationKeeper, type InstallationKeeperOptions} from './installation-keeper.ts';
import {EventPoster} from './kubernetes/event-poster.ts';
import type {KubernetesClient} from './kubernetes/kubernetes-client.ts';
import {MetricsPage} from './metrics/metrics-page.ts';
import {copyPolicy} from './policy-copy.ts';
import {WatchProcess} from './watch-process.ts';

export type AgentOptions = Omit<InstallationKeeperOptions, 'log' | 'signal'> & {
	readonly version: string;
	/** Empty outside a cluster. */
	readonly nodeName: string;
	/** Where the policy is mounted, and where the driver reads it on the node. */
	readonly policy: {readonly source: string; readonly target: string} | undefined;
	/** Absent outside a cluster: notices are then only logged. */
	readonly client: KubernetesClient | undefined;
	readonly metricsListen: string | undefined;
	readonly statusListen: string | undefined;
	readonly log: Logger;
	readonly installCheckMs?: number;
	readonly policyCheckMs?: number;
};

const noticeCountMax = 100;

/** Where the installation keeps failing, the pause between two attempts grows up to this many minutes. */
const failedIntervalsMax = 5;

/** A first failure may pass soon, for example when the previous agent was killed while it installed. */
const firstRetryShare = 0.1;

/**
The agent of a node, until it is told to end: policy and installation are kept as they should be, the watch runs,
and what it says goes to metrics, status page and Events. Its end leaves driver, runtime and daemons as they are:
pods go on.
*/
export const runAgent = async (options: AgentOptions, ending: AbortSignal): Promise<void> => {
	const agent = new Agent(options, ending);
	const server = await agent.serve();
	options.log.info(
		{version: options.version, metrics: server.metricsAddress, status: server.statusAddress},
		'agent started',
	);
	try {
		await Promise.all([agent.keepPolicy(), agent.keepInstallation()]);
	} finally {
		await agent.close();
		await server.close();
		options.log.info('agent ended');
	}
};

class Agent {
	readonly #options: AgentOptions;
	readonly #ending: AbortSignal;
	readonly #startedAtMs = Date.now();
	readonly #keeper: InstallationKeeper;
	readonly #events: EventPoster | undefined;
	readonly #policySettled = Promise.withResolvers<void>();
	#policyProblem: string | undefined;
	#watch: {readonly home: string; readonly process: WatchProcess} | undefined;
	#report: WatchReport | undefined;
	#notices: readonly Notice[] = [];

	constructor(options: AgentOptions, ending: AbortSignal) {
		this.#options = options;
		this.#ending = ending;
		this.#keeper = new InstallationKeeper({...options, signal: ending});
		const {client, nodeName, log} = options;
		this.#events = client === undefined ? undefined : new EventPoster({client, nodeName, log});
	}

	async serve(): Promise<AgentServer> {
		const {metricsListen, statusListen, log} = this.#options;
		const page = new MetricsPage();
		return AgentServer.start({
			metricsListen,
			statusListen,
			log,
			snapshot: () => this.#snapshot(),
			metricsPage: async () => page.render(this.#snapshot()),
		});
	}

	async keepPolicy(): Promise<void> {
		const {policy, root, log, policyCheckMs = 10_000} = this.#options;
		await this.#repeat(
			() => policyCheckMs,
			async () => {
				const before = this.#policyProblem;
				try {
					const {outcome, problem} =
						policy === undefined ? {outcome: 'same' as const, problem: undefined} : await copyPolicy({root, ...policy});
					this.#policyProblem = problem;
					this.#policySettled.resolve();
					if (outcome === 'copied') {
						log.info({policy: policy?.target}, 'node policy copied');
					}
				} catch (error) {
					this.#policyProblem = `The node policy could not be copied: ${toReason(error)}`;
				}

				if (this.#policyProblem !== undefined && this.#policyProblem !== before) {
					log.error({problem: this.#policyProblem}, 'node policy has a problem');
				}
			},
		);
		this.#policySettled.resolve();
	}

	/** The policy first: no mount may be judged by the built-in one for a moment. */
	async keepInstallation(): Promise<void> {
		const {installCheckMs = 60_000} = this.#options;
		await this.#policySettled.promise;
		// With what an agent before us has installed: healing does not wait for an installation, which may take long, or
		// fail.
		await this.#keepWatch();
		let failureCount = 0;
		const toIntervalMs = (): number =>
			installCheckMs *
			(failureCount === 1 ? firstRetryShare : Math.max(1, Math.min(failureCount - 1, failedIntervalsMax)));
		await this.#repeat(toIntervalMs, async () => {
			await this.#keeper.check();
			await this.#keepWatch();
			failureCount = this.#keeper.problem === undefined ? 0 : failureCount + 1;
		});
	}

	async close(): Promise<void> {
		await Promise.all([this.#watch?.process.close(), this.#events?.close(), this.#keeper.close()]);
	}

	/** The watch runs from the version that is installed. */
	async #keepWatch(): Promise<void> {
		const {root, runtimeDirectory, variables, log} = this.#options;
		const home = this.#keeper.installation?.runtimeDirectory ?? findCurrentRuntime(root, runtimeDirectory);
		if (home === undefined || home === this.#watch?.home || this.#ending.aborted) {
			return;
		}

		await this.#watch?.process.close();
		this.#watch = {
			home,
			process: new WatchProcess({
				commandLine: toWatchCommandLine(root, home),
				variables,
				log,
				onMessage: message => this.#take(message),
			}),
		};
	}

	#take(message: WatchMessage): void {
		if (message.type === 'report') {
			this.#report = message.report;
			return;
		}

		const {notice} = message;
		this.#notices = [...this.#notices, notice].slice(-noticeCountMax);
		this.#options.log[notice.type === 'Warning' ? 'warn' : 'info'](
			{
				volume: notice.volumeId,
				bucket: notice.bucket,
				reason: notice.reason,
				pods: notice.pods,
				notice: notice.message,
			},
			'notice',
		);
		this.#events?.post(notice);
	}

	#snapshot(): AgentSnapshot {
		const {version, nodeName} = this.#options;
		return {
			version,
			nodeName,
			startedAtMs: this.#startedAtMs,
			installation: this.#keeper.installation,
			report: this.#report,
			notices: this.#notices,
			problems: [this.#keeper.problem, this.#policyProblem, this.#watch?.process.problem].filter(
				problem => problem !== undefined,
			),
		};
	}

	async #repeat(toIntervalMs: () => number, work: () => Promise<void>): Promise<void> {
		while (!this.#ending.aborted) {
			await work();
			// Ends the wait, and the loop with it.
			await delay(toIntervalMs(), undefined, {signal: this.#ending}).catch(() => undefined);
		}
	}
}

const toWatchCommandLine = (root: NodeRoot, home: string): readonly string[] =>
	toNodeCommandLine(root, [join(home, 'bin', 'pnx-volume'), 'watch']);
