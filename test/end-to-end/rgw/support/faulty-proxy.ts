import {createServer, request as sendRequest, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {setTimeout as delay} from 'node:timers/promises';
import {faultAnswer} from '../../../../src/dev-server/error-answer.ts';
import {createRandom, planFaults, type FaultPlan} from '../../../../src/dev-server/fault-plan.ts';
import {
	createFaultSettings,
	replaceFaultSettings,
	type FaultSettings,
} from '../../../../src/dev-server/fault-settings.ts';
import {operationOf} from '../../../../src/dev-server/operation.ts';
import {parseRequestTarget} from '../../../../src/dev-server/request-target.ts';

export type FaultyProxy = {
	readonly endpoint: string;
	/** Turns on exactly these faults, as with the development server; `{}` turns all off. */
	setFaults(faults: Partial<FaultSettings>): Promise<void>;
	close(): Promise<void>;
};

/** Stands before an S3 server that cannot fail on command, and fails for it. Requests pass as they were signed. */
export const startFaultyProxy = async (endpoint: string): Promise<FaultyProxy> => {
	const faults = createFaultSettings(() => server.closeAllConnections());
	const random = createRandom();
	const server = createServer((request, response) => {
		response.on('error', () => undefined); // The client is gone.
		if (faults.down) {
			request.socket.destroy();
			return;
		}

		const target = parseRequestTarget(request.url ?? '/', request.headers.host ?? '');
		const operation = operationOf(request.method ?? 'GET', target, request.headers) ?? 'Unknown';
		void answer(endpoint, {request, response}, planFaults(faults, {operation, key: target.key}, random));
	});
	await new Promise<void>(resolve => {
		server.listen(0, '127.0.0.1', resolve);
	});
	return {
		endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		async setFaults(wanted) {
			replaceFaultSettings(faults, wanted);
		},
		async close() {
			server.closeAllConnections();
			await new Promise(resolve => {
				server.close(resolve);
			});
		},
	};
};

type Exchange = {readonly request: IncomingMessage; readonly response: ServerResponse};

const answer = async (endpoint: string, exchange: Exchange, plan: FaultPlan): Promise<void> => {
	const {request, response} = exchange;
	await delay(plan.latencyMs);
	if (plan.drop === 'before') {
		request.socket.destroy();
	} else if (plan.error !== undefined) {
		const {status, headers, body} = faultAnswer(plan.error, {resource: request.url ?? '/', requestId: 'proxy'});
		request.resume();
		response.writeHead(status, {...headers, connection: 'close'}).end(request.method === 'HEAD' ? undefined : body);
	} else if (plan.stall !== 'before') {
		forward(endpoint, exchange, plan);
	}
};

const forward = (endpoint: string, {request, response}: Exchange, plan: FaultPlan): void => {
	const {hostname, port} = new URL(endpoint);
	const {method, url: path, rawHeaders} = request;
	const upstream = sendRequest({hostname, port, method, path, headers: withoutExpect(rawHeaders)}, incoming => {
		void passOn(incoming, {request, response}, plan);
	});
	upstream.on('error', () => request.socket.destroy());
	// What the client has begun and given up, the server must not take for whole.
	request.on('error', () => upstream.destroy()).on('aborted', () => upstream.destroy());
	request.pipe(upstream);
};

/** Node.js has answered it, and asks the server by itself. */
const withoutExpect = (rawHeaders: readonly string[]): string[] =>
	rawHeaders.filter((_, index) => rawHeaders[index & ~1]!.toLowerCase() !== 'expect'); // A name, then its value.

const passOn = async (incoming: IncomingMessage, {request, response}: Exchange, plan: FaultPlan): Promise<void> => {
	const pieces: Buffer[] = [];
	try {
		for await (const piece of incoming) {
			pieces.push(piece as Buffer);
		}
	} catch {
		request.socket.destroy();
		return;
	}

	const body = Buffer.concat(pieces);
	if (plan.drop === 'after') {
		request.socket.destroy();
		return;
	}

	if (plan.stall === 'after') {
		return;
	}

	if (plan.isCorrupted && body.length > 0) {
		body[body.length >>> 1]! ^= 0xff;
	}

	response.writeHead(incoming.statusCode ?? 500, incoming.rawHeaders);
	if (plan.drop !== 'body' && plan.stall !== 'body') {
		response.end(body);
		return;
	}

	response.write(body.subarray(0, body.length >>> 1), () => {
		if (plan.drop === 'body') {
			request.socket.destroy();
		}
	});
};
