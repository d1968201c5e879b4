import {setMaxListeners} from 'node:events';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo, Socket} from 'node:net';
import {resolve} from 'node:path';
import {stackOf} from '../model/error-text.ts';
import {devPathPrefix, handleDevRequest} from './dev-controls.ts';
import {createRandom} from './fault-plan.ts';
import {createFaultSettings} from './fault-settings.ts';
import {handleRequest, type Exchange, type ServerParts} from './handle-request.ts';
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

/** An S3 server in this process, on the loopback address if nothing else is said. */
export class DevServer {
	/** `http://127.0.0.1:PORT`, or with another address. */
	readonly endpoint: string;
	readonly port: number;
	/** Live: a change counts from the next request. */
	readonly faults = createFaultSettings(() => this.#destroyConnections());
	readonly requests = new RequestLog();
	readonly #server: Server;
	readonly #parts: ServerParts;
	readonly #sockets = new Set<Socket>();
	/** The connections of tests that turn switches: a server that is down still answers them. */
	readonly #controlSockets = new WeakSet<Socket>();
	readonly #inFlight = new Set<Promise<void>>();
	readonly #closing = new AbortController();
	#closed: Promise<void> | undefined;

	private constructor(server: Server, parts: Pick<ServerParts, 'storage' | 'credentials' | 'region' | 'log'>) {
		const {address, family, port} = server.address() as AddressInfo; // It listens on a TCP port.
		this.endpoint = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
		this.port = port;
		this.#server = server;
		this.#parts = {
			...parts,
			faults: this.faults,
			requests: this.requests,
			random: createRandom(),
			closing: this.#closing.signal,
		};
		setMaxListeners(0, this.#closing.signal); // As many as there are requests.
		server.on('request', (request: IncomingMessage, response: ServerResponse) =>
			this.#take({request, response, isContinueExpected: false}),
		);
		server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
			this.#take({request, response, isContinueExpected: true}),
		);
		server.on('connection', (socket: Socket) => {
			this.#sockets.add(socket);
			socket.on('close', () => this.#sockets.delete(socket));
		});
	}

	/** Starts a server with what an earlier one left in the directory. */
	static async start({
		directory,
		host = '127.0.0.1',
		port = 0,
		accessKeyId = 'dev',
		secretAccessKey = 'dev-secret',
		region,
		log = () => undefined,
	}: DevServerOptions): Promise<DevServer> {
		const storage = new Storage(resolve(directory));
		const server = createServer({
			maxHeaderSize: 128 * 1024, // Metadata that is too large must reach the check that says so.
			requestTimeout: 0,
			keepAliveTimeout: 60_000,
			highWaterMark: 1 << 20,
		});
		try {
			await listen(server, host, port);
		} catch (error) {
			storage.close();
			throw error;
		}

		return new DevServer(server, {storage, credentials: {accessKeyId, secretAccessKey}, region, log});
	}

	/** Ends every connection and closes the files; again does nothing. What was acknowledged is kept. */
	close(): Promise<void> {
		return (this.#closed ??= this.#shutDown());
	}

	#take(exchange: Exchange): void {
		if (isControl(exchange.request)) {
			this.#controlSockets.add(exchange.request.socket);
		}

		const done = serve(this.#parts, exchange).finally(() => this.#inFlight.delete(done));
		this.#inFlight.add(done);
	}

	#destroyConnections(): void {
		destroyAll([...this.#sockets].filter(socket => !this.#controlSockets.has(socket)));
	}

	async #shutDown(): Promise<void> {
		const closed = new Promise<void>(resolve => {
			this.#server.close(() => resolve());
		});
		this.#closing.abort();
		destroyAll(this.#sockets);
		await closed;
		await Promise.all(this.#inFlight);
		this.#parts.storage.close();
	}
}

const isControl = (request: IncomingMessage): boolean =>
	request.url?.startsWith(devPathPrefix) === true && isLoopbackAddress(request.socket.remoteAddress);

/** Answers a request, never rejects. */
const serve = async (parts: ServerParts, exchange: Exchange): Promise<void> => {
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
