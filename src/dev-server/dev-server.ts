import {setMaxListeners} from 'node:events';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo, Socket} from 'node:net';
import {resolve} from 'node:path';
import {stackOf} from '../model/error-text.ts';
import {devPathPrefix, handleDevRequest} from './dev-controls.ts';
import {createRandom} from './fault-plan.ts';
import {createFaultSettings, type FaultSettings} from './fault-settings.ts';
import {handleRequest, type ServerParts} from './handle-request.ts';
import {isLoopbackAddress} from './loopback-address.ts';
import {RequestLog} from './request-log.ts';
import {Storage} from './storage/storage.ts';

export type {ErrorFault, FaultMatch, FaultMoment, FaultSettings, TimedFault} from './fault-settings.ts';
export type {LoggedRequest, RequestFilter, RequestLog} from './request-log.ts';

export type DevServerOptions = {
	/** Where everything is kept; created when it is missing. One server at a time. */
	readonly directory: string;
	/**
	The address to listen at; default `127.0.0.1`. The controls of tests answer clients of this machine only, whatever
	it is.
	*/
	readonly host?: string | undefined;
	/** 0, the default: any free one. */
	readonly port?: number | undefined;
	/** Default `dev`. */
	readonly accessKeyId?: string | undefined;
	/** Default `dev-secret`. */
	readonly secretAccessKey?: string | undefined;
	/**
	With it, requests signed for another region are refused; without it, each bucket has the region it was created in.
	*/
	readonly region?: string | undefined;
	/** Takes one line for each request, and the stack of each failure of the server itself. */
	readonly log?: ((line: string) => void) | undefined;
};

export type DevServer = {
	/** `http://127.0.0.1:PORT`, or with another address. */
	readonly endpoint: string;
	readonly port: number;
	/** Live: a change counts from the next request. */
	readonly faults: FaultSettings;
	readonly requests: RequestLog;
	/** Ends every connection and closes the files; again does nothing. What was acknowledged is kept. */
	close(): Promise<void>;
};

/**
Starts an S3 server, on the loopback address if nothing else is said, with what an earlier one left in the
directory.
*/
export const startDevServer = async (options: DevServerOptions): Promise<DevServer> => {
	const {
		directory,
		host = '127.0.0.1',
		port = 0,
		accessKeyId = 'dev',
		secretAccessKey = 'dev-secret',
		region,
		log = () => undefined,
	} = options;
	const sockets = new Set<Socket>();
	// The connections of tests that turn switches: a server that is down still answers them.
	const controlSockets = new WeakSet<Socket>();
	const faults = createFaultSettings(() => destroyAll([...sockets].filter(socket => !controlSockets.has(socket))));
	const closing = new AbortController();
	setMaxListeners(0, closing.signal); // As many as there are requests.
	const parts: ServerParts = {
		storage: new Storage(resolve(directory)),
		credentials: {accessKeyId, secretAccessKey},
		region,
		faults,
		requests: new RequestLog(),
		random: createRandom(),
		log,
		closing: closing.signal,
	};
	const inFlight = new Set<Promise<void>>();
	const take = (request: IncomingMessage, response: ServerResponse, isContinueExpected: boolean): void => {
		if (isControl(request)) {
			controlSockets.add(request.socket);
		}

		const done = serve(parts, {request, response, isContinueExpected}).finally(() => inFlight.delete(done));
		inFlight.add(done);
	};

	// Metadata that is too large must reach the check that says so.
	const server = createServer({
		maxHeaderSize: 128 * 1024,
		requestTimeout: 0,
		keepAliveTimeout: 60_000,
		highWaterMark: 1 << 20,
	});
	server.on('request', (request: IncomingMessage, response: ServerResponse) => take(request, response, false));
	server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => take(request, response, true));
	server.on('connection', (socket: Socket) => {
		sockets.add(socket);
		socket.on('close', () => sockets.delete(socket));
	});
	try {
		await listen(server, host, port);
	} catch (error) {
		parts.storage.close();
		throw error;
	}

	const shutDown = async (): Promise<void> => {
		const closed = new Promise<void>(resolve => {
			server.close(() => resolve());
		});
		closing.abort();
		destroyAll(sockets);
		await closed;
		await Promise.all(inFlight);
		parts.storage.close();
	};

	let closed: Promise<void> | undefined;
	const address = server.address() as AddressInfo; // It listens on a TCP port.
	return {
		endpoint: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
		port: address.port,
		faults,
		requests: parts.requests,
		close: () => (closed ??= shutDown()),
	};
};

const isControl = (request: IncomingMessage): boolean =>
	request.url?.startsWith(devPathPrefix) === true && isLoopbackAddress(request.socket.remoteAddress);

/** Answers a request, never rejects. */
const serve = async (parts: ServerParts, exchange: Parameters<typeof handleRequest>[1]): Promise<void> => {
	const {request, response} = exchange;
	try {
		// A client that resets the connection is no failure of the server.
		request.on('error', () => undefined);
		response.on('error', () => undefined);
		if (isControl(request)) {
			await handleDevRequest(parts, request, response);
		} else if (parts.faults.down) {
			request.socket.destroy();
		} else {
			await handleRequest(parts, exchange);
		}
	} catch (error) {
		// The answer has begun, so there is no other way to tell the client.
		parts.log(`${request.method} ${request.url} broke off: ${stackOf(error)}`);
		request.socket.destroy();
	}
};

const destroyAll = (sockets: Iterable<Socket>): void => {
	for (const socket of sockets) {
		socket.destroy();
	}
};

const listen = (server: Server, host: string, port: number): Promise<void> =>
	new Promise((resolve, reject) => {
		server.once('error', cause => {
			reject(new Error(`Cannot start the S3 server on ${host} port ${port}: ${cause.message}`, {cause}));
		});
		server.listen(port, host, resolve);
	});
