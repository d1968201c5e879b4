import type {Logger} from '../../observability/logger.ts';
import type {AgentSnapshot} from '../agent-snapshot.ts';
import {parseListenAddress} from './listen-address.ts';
import {isLocalHostName} from './local-host-name.ts';
import {plainText, startPlainServer, type Answer, type PlainServer} from './plain-server.ts';
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
	/** The page for Prometheus, `render` of `createMetricsPage()`; absent for none. */
	readonly metricsPage?:
		| ((snapshot: AgentSnapshot) => Promise<{readonly contentType: string; readonly body: string}>)
		| undefined;
	readonly log?: Pick<Logger, 'error'> | undefined;
};

export type AgentServer = {
	/** Where metrics and probes are: an address and the port that was taken. */
	readonly metricsAddress: string | undefined;
	readonly statusAddress: string | undefined;
	close(): Promise<void>;
};

/** Often enough to see every report of the watch. */
const historyMs = 1000;

/** Serves what the agent knows: numbers and probes to the cluster, the status page to this machine. */
export const startAgentServer = async (options: AgentServerOptions): Promise<AgentServer> => {
	const {metricsListen, statusListen, snapshot, metricsPage, log} = options;
	const history = new ReportHistory();
	const toDocument = (): StatusDocument => {
		const now = snapshot();
		history.note(now.report);
		return toStatusDocument(now, volumeId => history.earlierOf(volumeId), Date.now());
	};

	const metrics =
		metricsListen === undefined
			? undefined
			: await startPlainServer({
					address: parseListenAddress(metricsListen),
					routes: {
						// That it is answered shows that the loop turns; whether S3 or a volume is well is no reason to restart us.
						'/healthz': () => plainText(200, 'ok'),
						'/readyz': () => toReadiness(snapshot()),
						...(metricsPage === undefined
							? {}
							: {'/metrics': async () => ({status: 200, ...(await metricsPage(snapshot()))})}),
					},
					log,
				});
	let status: PlainServer | undefined;
	try {
		status =
			statusListen === undefined
				? undefined
				: await startPlainServer({
						address: parseListenAddress(statusListen),
						routes: {
							'/': () => renderStatusPage(toDocument()),
							'/status.json': () => ({
								status: 200,
								contentType: 'application/json; charset=utf-8',
								body: `${JSON.stringify(toDocument(), undefined, '\t')}\n`,
							}),
						},
						isHostAllowed: isLocalHostName,
						log,
					});
	} catch (error) {
		await metrics?.close();
		throw error;
	}

	const timer = setInterval(() => {
		try {
			history.note(snapshot().report);
		} catch {
			// The page that needs it says so, and logs it.
		}
	}, historyMs);
	timer.unref();
	return {
		metricsAddress: metrics?.address,
		statusAddress: status?.address,
		async close() {
			clearInterval(timer);
			await Promise.all([metrics?.close(), status?.close()]);
		},
	};
};

const toReadiness = (snapshot: AgentSnapshot): Answer => {
	const problems = findReadinessProblems(snapshot, Date.now());
	return problems.length === 0 ? plainText(200, 'ok') : plainText(503, problems.join('\n'));
};
