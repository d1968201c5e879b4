import type {LoggedRequest} from '../../../src/dev-server/dev-server.ts';
import type {SpawnedDevServer} from '../../support/dev-server.ts';

/** What something costs at the server. */
export type RequestCost = {
	readonly requests: number;
	/** The most requests of which each began after the one before was answered. */
	readonly chain: number;
	/** For messages of tests: the requests in order. */
	readonly text: string;
};

/**
Counts the requests of a task, and finds the longest chain of them. The server answers late meanwhile, so that requests
which do not wait for each other overlap. On a machine so busy that they arrive one by one a chain looks longer than it
is, and never shorter: then the next try is to have more latency.
*/
export const measureRequests = async (
	server: Pick<SpawnedDevServer, 'setFaults' | 'clearRequests' | 'listRequests'>,
	{latencyMs, task}: {latencyMs: number; task: () => Promise<unknown>},
): Promise<RequestCost & {readonly list: readonly LoggedRequest[]}> => {
	await server.setFaults({latencyMs});
	await server.clearRequests();
	try {
		await task();
	} finally {
		await server.setFaults({});
	}

	const list = await server.listRequests();
	return {requests: list.length, chain: longestChain(list), text: list.map(format).join('\n'), list};
};

/** By the order of beginnings and answers in the log; no clock has a say. */
export const longestChain = (requests: ReadonlyArray<Pick<LoggedRequest, 'beganOrder' | 'answeredOrder'>>): number => {
	const byAnswer = requests
		.filter(({answeredOrder}) => answeredOrder > 0)
		.toSorted((a, b) => a.answeredOrder - b.answeredOrder);
	let length = 0;
	let lastAnswer = 0;
	for (const {beganOrder, answeredOrder} of byAnswer) {
		if (beganOrder > lastAnswer) {
			length++;
			lastAnswer = answeredOrder;
		}
	}

	return length;
};

const format = ({operation, key, status, beganOrder, answeredOrder}: LoggedRequest): string =>
	`${beganOrder}-${answeredOrder} ${operation} ${key} ${status}`;
