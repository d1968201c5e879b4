import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {messageOf} from '../../model/error-text.ts';
import type {Logger} from '../../observability/logger.ts';
import type {ListenAddress} from './listen-address.ts';

export type Answer = {
	readonly status: number;
	readonly contentType: string;
	readonly body: string;
	readonly headers?: Readonly<Record<string, string>> | undefined;
};

export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>;

export type PlainServerOptions = {
	readonly address: ListenAddress;
	/** What can be asked for, by path; nothing else is served, no files above all. */
	readonly routes: Routes;
	/** Whether a request may be answered, by its `Host` header. */
	readonly isHostAllowed?: ((host: string | undefined) => boolean) | undefined;
	readonly log?: Pick<Logger, 'error'> | undefined;
};

const connectionCountMax = 64;
const headerBytesMax = 8192;
/**
Time limits for slow clients; without the first two, 64 of them could keep everybody else out for ever.
*/
const headersMs = 5000;
const requestMs = 10_000;
const idleMs = 5000;
const requestsPerConnectionMax = 100;

/**
Headers of every answer: it holds the numbers of this second, so nothing may cache it or guess another content type.
*/
const headersOfAll: Readonly<Record<string, string>> = {
	'Cache-Control': 'no-store',
	'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	'Cross-Origin-Resource-Policy': 'same-origin',
	'Referrer-Policy': 'no-referrer',
	'X-Content-Type-Options': 'nosniff',
	'X-Frame-Options': 'DENY',
};

/**
A small HTTP server that answers GET and HEAD of a few paths from memory, and withstands clients that are slow, many
or hostile.
*/
export class PlainServer {
	/** Where it listens: `127.0.0.1:9810`, `[::]:9809`. */
	readonly address: string;
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
		this.address = formatAddress(server.address() as AddressInfo); // Of a TCP server that listens it is one.
	}

	static async start(options: PlainServerOptions): Promise<PlainServer> {
		const server = createServer(
			{
				maxHeaderSize: headerBytesMax,
				headersTimeout: headersMs,
				requestTimeout: requestMs,
				keepAliveTimeout: idleMs,
				connectionsCheckingInterval: 1000,
			},
			(request, response) => {
				void respond(request, response, options);
			},
		);
		server.maxConnections = connectionCountMax;
		server.maxRequestsPerSocket = requestsPerConnectionMax;
		// Also of a client that does not take its answer.
		server.setTimeout(requestMs, socket => socket.destroy());
		await listen(server, options.address);
		return new PlainServer(server);
	}

	async close(): Promise<void> {
		const closed = new Promise(resolve => {
			this.#server.close(resolve);
		});
		this.#server.closeAllConnections();
		await closed;
	}
}

const listen = async (server: Server, {host, port}: ListenAddress): Promise<void> => {
	const {promise, resolve, reject} = Promise.withResolvers<void>();
	server.once('error', reject);
	server.listen({port, ...(host === undefined ? {} : {host})}, resolve);
	try {
		await promise;
	} catch (error) {
		throw new Error(
			`Cannot listen at ${host ?? ''}:${port}: ${messageOf(error)}; stop what listens there, or choose another port`,
			{cause: error},
		);
	}

	server.off('error', reject);
};

const formatAddress = ({address, family, port}: AddressInfo): string =>
	family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;

/** Never rejects. */
const respond = async (
	request: IncomingMessage,
	response: ServerResponse,
	options: PlainServerOptions,
): Promise<void> => {
	response.on('error', () => response.destroy());
	let answer: Answer;
	try {
		answer = await answerTo(request, options);
	} catch (error) {
		options.log?.error({err: error, path: pathOf(request)}, 'a page could not be made');
		answer = plainText(500, 'This page could not be made; the log of the agent says why.');
	}

	const body = Buffer.from(answer.body);
	response.writeHead(answer.status, {
		...headersOfAll,
		'Content-Type': answer.contentType,
		'Content-Length': body.length,
		...answer.headers,
		// A body that nobody reads would be taken for the next request.
		...(hasBody(request) || answer.status >= 400 ? {Connection: 'close'} : {}),
	});
	response.end(request.method === 'HEAD' ? undefined : body);
};

const answerTo = async (request: IncomingMessage, {routes, isHostAllowed}: PlainServerOptions): Promise<Answer> => {
	if (isHostAllowed?.(request.headers.host) === false) {
		return plainText(403, 'This page answers only to requests for localhost or for an address.');
	}

	const path = pathOf(request);
	const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
	if (route === undefined) {
		return plainText(404, `There is no such page. The pages are ${Object.keys(routes).join(', ')}.`);
	}

	if (request.method !== 'GET' && request.method !== 'HEAD') {
		return {...plainText(405, 'Only GET and HEAD are answered.'), headers: {Allow: 'GET, HEAD'}};
	}

	return hasBody(request) ? plainText(400, 'A request must not have a body.') : route();
};

export const plainText = (status: number, text: string): Answer => ({
	status,
	contentType: 'text/plain; charset=utf-8',
	body: `${text}\n`,
});

const pathOf = (request: IncomingMessage): string => (request.url ?? '').replace(/[?#].*$/s, '');

const hasBody = ({headers}: IncomingMessage): boolean =>
	headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
