import type {Logger} from '../../observability/logger.ts';
import type {AgentSnapshot} from '../agent-snapshot.ts';
import {parseListenAddress} from './listen-address.ts';
import {isLocalHostName} from './local-host-name.ts';
import {plainText, PlainServer, type Answer, type Routes} from './plain-server.ts';
import {findReadinessProblems} from './readiness.ts';
import {ReportHistory} from './report-history.ts';
import {toStatusDocument, type StatusDocument} from './status-document.ts';
import {renderStatusPage} from './status-page.ts';

export type AgentServerOptions = {
	/** Metrics and probes, for the pod network: `:9809`; absent for none. */
	readonly metricsListen?: string | undefined;
	/** The status page, for this machine only (`kubectl port-forward` gets there): `127.0.0.1:9810`; absent for none. */
	readonly statusListen?: string | undefined;
	readonly snapshot: () => AgentSnapshot;
	/** The page for Prometheus, `render` of a `MetricsPage`; absent for none. */
	readonly metricsPage?:
		| ((snapshot: AgentSnapshot) => Promise<{readonly contentType: string; readonly body: string}>)
		| undefined;
	readonly log?: Pick<Logger, 'error'> | undefined;
};

/** Often enough to see every report of the watch. */
const historyMs = 1000;

/** Serves what the agent knows: numbers and probes to the cluster, the status page to this machine. */
export class AgentServer {
	readonly #options: AgentServerOptions;
	readonly #history = new ReportHistory();
	#metrics: PlainServer | undefined;
	#status: PlainServer | undefined;
	#timer: NodeJS.Timeout | undefined;

	private constructor(options: AgentServerOptions) {
		this.#options = options;
	}

	static async start(options: AgentServerOptions): Promise<AgentServer> {
		const server = new AgentServer(options);
		try {
			await server.#listen();
		} catch (error) {
			await server.close();
			throw error;
		}

		return server;
	}

	/** Where metrics and probes are: an address and the port that was taken. */
	get metricsAddress(): string | undefined {
		return this.#metrics?.address;
	}

	get statusAddress(): string | undefined {
		return this.#status?.address;
	}

	async close(): Promise<void> {
		clearInterval(this.#timer);
		await Promise.all([this.#metrics?.close(), this.#status?.close()]);
	}

	async #listen(): Promise<void> {
		const {metricsListen, statusListen, log} = this.#options;
		if (metricsListen !== undefined) {
			const address = parseListenAddress(metricsListen);
			this.#metrics = await PlainServer.start({address, routes: this.#metricsRoutes(), log});
		}

		if (statusListen !== undefined) {
			this.#status = await PlainServer.start({
				address: parseListenAddress(statusListen),
				routes: this.#statusRoutes(),
				isHostAllowed: isLocalHostName,
				log,
			});
		}

		this.#timer = setInterval(() => this.#noteReport(), historyMs);
		this.#timer.unref();
	}

	#metricsRoutes(): Routes {
		const {snapshot, metricsPage} = this.#options;
		return {
			// That it is answered shows that the loop turns; whether S3 or a volume is well is no reason to restart us.
			'/healthz': () => plainText(200, 'ok'),
			'/readyz': () => toReadiness(snapshot()),
			...(metricsPage === undefined
				? {}
				: {'/metrics': async () => ({status: 200, ...(await metricsPage(snapshot()))})}),
		};
	}

	#statusRoutes(): Routes {
		return {
			'/': () => renderStatusPage(this.#toDocument()),
			'/status.json': () => ({
				status: 200,
				contentType: 'application/json; charset=utf-8',
				body: `${JSON.stringify(this.#toDocument(), undefined, '\t')}\n`,
			}),
		};
	}

	#toDocument(): StatusDocument {
		const now = this.#options.snapshot();
		this.#history.note(now.report);
		return toStatusDocument(now, volumeId => this.#history.earlierOf(volumeId), Date.now());
	}

	#noteReport(): void {
		try {
			this.#history.note(this.#options.snapshot().report);
		} catch {
			// The page that needs it says so, and logs it.
		}
	}
}

const toReadiness = (snapshot: AgentSnapshot): Answer => {
	const problems = findReadinessProblems(snapshot, Date.now());
	return problems.length === 0 ? plainText(200, 'ok') : plainText(503, problems.join('\n'));
};
