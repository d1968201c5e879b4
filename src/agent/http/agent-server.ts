import type {Logger} from '../../observability/logger.ts';
import type {AgentSnapshot} from '../agent-snapshot.ts';
import {parseListenAddress} from './listen-address.ts';
import {isLocalHostName} from './local-host-name.ts';
import {plainText, startPlainServer, type Answer, type PlainServer} from './plain-server.ts';
import {findReadinessProblems} from './readiness.ts';

export type AgentServerOptions = {
	/** Metrics and probes, for the pod network: `:9809`; absent for none. */
	readonly metricsListen?: string | undefined;
	/** The status page, for this machine only (`kubectl port-forward` gets there): `127.0.0.1:9810`; absent for none. */
	readonly statusListen?: string | undefined;
	readonly snapshot: () => AgentSnapshot;
	/** The page for Prometheus; absent for none. */
	readonly metricsPage?: (() => Promise<{readonly contentType: string; readonly body: string}>) | undefined;
	readonly log?: Pick<Logger, 'error'> | undefined;
};

export type AgentServer = {
	/** Where metrics and probes are: an address and the port that was taken. */
	readonly metricsAddress: string | undefined;
	readonly statusAddress: string | undefined;
	close(): Promise<void>;
};

/** Serves what the agent knows: numbers and probes to the cluster, the status page to this machine. */
export const startAgentServer = async (options: AgentServerOptions): Promise<AgentServer> => {
	const {metricsListen, statusListen, snapshot, metricsPage, log} = options;
	const metrics = metricsListen === undefined ? undefined : await startPlainServer({
		address: parseListenAddress(metricsListen),
		routes: {
			// That it is answered shows that the loop turns; whether S3 or a volume is well is no reason to restart us.
			'/healthz': () => plainText(200, 'ok'),
			'/readyz': () => toReadiness(snapshot()),
			...(metricsPage === undefined ? {} : {'/metrics': async () => ({status: 200, ...await metricsPage()})}),
		},
		log,
	});
	let status: PlainServer | undefined;
	try {
		status = statusListen === undefined ? undefined : await startPlainServer({
			address: parseListenAddress(statusListen),
			routes: {
				'/status.json': () => ({status: 200, contentType: 'application/json', body: `${JSON.stringify(snapshot(), undefined, '\t')}\n`}),
			},
			isHostAllowed: isLocalHostName,
			log,
		});
	} catch (error) {
		await metrics?.close();
		throw error;
	}

	return {
		metricsAddress: metrics?.address,
		statusAddress: status?.address,
		async close() {
			await Promise.all([metrics?.close(), status?.close()]);
		},
	};
};

const toReadiness = (snapshot: AgentSnapshot): Answer => {
	const problems = findReadinessProblems(snapshot, Date.now());
	return problems.length === 0 ? plainText(200, 'ok') : plainText(503, problems.join('\n'));
};
