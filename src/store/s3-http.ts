import http from 'node:http';
import https from 'node:https';
import type {LookupFunction, Socket} from 'node:net';
import {setTimeout, clearTimeout} from 'node:timers';

export type HttpRequest = {
	readonly method: string;
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: readonly Uint8Array[];
};

export type HttpLimits = {
	/** For everything up to the answer's first byte, in milliseconds. */
	readonly totalMs: number;
	readonly connectMs: number;
	/** How long the server may take no byte of the body, or not answer after the last. */
	readonly silenceMs: number;
	readonly signal?: AbortSignal | undefined;
};

/** Why there is no answer. */
export class HttpFailure extends Error {
	override readonly name = 'HttpFailure';
	readonly kind: 'timeout' | 'network';
	/** Whether the server may have carried the request out. */
	readonly wasSent: boolean;
	/** The server closed an idle connection just as we used it: the next attempt takes another one at once. */
	readonly isStaleConnection: boolean;

	constructor(
		message: string,
		{
			kind,
			wasSent,
			isStaleConnection = false,
			cause,
		}: {kind: 'timeout' | 'network'; wasSent: boolean; isStaleConnection?: boolean; cause?: unknown},
	) {
		super(message, {cause});
		this.kind = kind;
		this.wasSent = wasSent;
		this.isStaleConnection = isStaleConnection;
	}
}

/** Bodies up to this size are handed to the kernel in one go; larger ones piece by piece, to see whether they move. */
const pieceBytes = 2 ** 20;

/**
Idle connections are closed before the servers do it (S3: about 20 s), as one that the server just closed costs an
attempt.
*/
const idleMsMax = 15_000;

/**
How much is taken from the kernel at once. In place of a new buffer of 64 KiB for each read, which the garbage collector
has to find. Node.js copies bodies out of it when it parses an answer, before the next read.
*/
const readBytes = 2 ** 18;

/** Node.js calls it as a method of the socket, which is what its HTTP parser listens to. */
function takeRead(this: Socket, byteCount: number, buffer: Uint8Array): boolean {
	this.emit('data', buffer.subarray(0, byteCount));
	return true;
}

/** Keep-alive connections to one endpoint. */
export class HttpTransport {
	readonly #endpoint: URL;
	readonly #agent: http.Agent;
	/** Those that have carried a request: the agent marks only some of them as reused. */
	readonly #openSockets = new WeakSet<Socket>();

	constructor(
		endpoint: URL,
		{connectionCountMax, lookup}: {connectionCountMax: number; lookup?: LookupFunction | undefined},
	) {
		this.#endpoint = endpoint;
		const options = {
			keepAlive: true,
			maxSockets: connectionCountMax,
			maxFreeSockets: connectionCountMax,
			scheduling: 'lifo',
			timeout: idleMsMax,
			noDelay: true,
			// All connections share it: a read is over before the next one begins.
			onread: {buffer: Buffer.allocUnsafeSlow(readBytes), callback: takeRead},
			...(lookup === undefined ? {} : {lookup}),
		} as const;
		this.#agent =
			endpoint.protocol === 'https:'
				? new https.Agent({...options, maxCachedSessions: connectionCountMax})
				: new http.Agent(options);
	}

	/** One request; resolves with the head of the answer. Fails with `HttpFailure`, or with the signal's reason. */
	send(request: HttpRequest, limits: HttpLimits): Promise<http.IncomingMessage> {
		const {hostname, port, protocol} = this.#endpoint;
		const open = protocol === 'https:' ? https.request : http.request;
		return new Promise((resolve, reject) => {
			const outgoing = open({
				method: request.method,
				path: request.path,
				headers: request.headers,
				agent: this.#agent,
				setDefaultHeaders: true,
				hostname: hostname.replace(/^\[|\]$/g, ''),
				port,
			});
			new Exchange({
				outgoing,
				request,
				limits,
				connectEvent: protocol === 'https:' ? 'secureConnect' : 'connect',
				openSockets: this.#openSockets,
				resolve,
				reject,
			}).start();
		});
	}

	close(): void {
		this.#agent.destroy();
	}
}

type ExchangeParts = {
	readonly outgoing: http.ClientRequest;
	readonly request: HttpRequest;
	readonly limits: HttpLimits;
	readonly connectEvent: 'connect' | 'secureConnect';
	readonly openSockets: WeakSet<Socket>;
	readonly resolve: (answer: http.IncomingMessage) => void;
	readonly reject: (error: Error) => void;
};

/** One request on its way: waits for a connection, connects, sends, waits for the answer; each with its own limit. */
class Exchange {
	readonly #parts: ExchangeParts;
	readonly #endsAtMs: number;
	#timer: NodeJS.Timeout | undefined;
	#isConnected = false;
	#isReused = false;
	#isSettled = false;

	constructor(parts: ExchangeParts) {
		this.#parts = parts;
		this.#endsAtMs = performance.now() + parts.limits.totalMs;
	}

	start(): void {
		const {outgoing, limits} = this.#parts;
		outgoing.on('error', error => {
			this.#fail('network', error.message, error);
		});
		outgoing.once('response', answer => {
			this.#answer(answer);
		});
		outgoing.once('socket', socket => {
			this.#connect(socket);
		});
		if (limits.signal?.aborted === true) {
			this.#abort();
			return;
		}

		limits.signal?.addEventListener('abort', this.#abort);
		this.#watch(limits.totalMs, 'no connection was free');
		this.#writeBody();
	}

	#connect(socket: Socket): void {
		const {limits, connectEvent, openSockets} = this.#parts;
		this.#isReused = openSockets.has(socket);
		if (this.#isReused) {
			this.#isConnected = true;
			this.#watch(limits.silenceMs, 'the server does not answer');
			return;
		}

		this.#watch(limits.connectMs, 'the server does not take the connection');
		socket.once(connectEvent, () => {
			openSockets.add(socket);
			this.#isConnected = true;
			this.#watch(limits.silenceMs, 'the server does not answer');
		});
	}

	#writeBody(): void {
		const {
			outgoing,
			request: {body},
		} = this.#parts;
		const pieces = toPieces(body);
		const writeNext = (): void => {
			if (this.#isSettled) {
				return;
			}

			const next = pieces.next();
			if (next.done === true) {
				outgoing.end();
				return;
			}

			outgoing.write(next.value, error => {
				if (!error) {
					this.#watch(this.#parts.limits.silenceMs, 'the server stopped taking the bytes');
					writeNext();
				}
			});
		};

		if (body.length === 0) {
			outgoing.end();
		} else if (body.length === 1 && body[0]!.length <= pieceBytes) {
			outgoing.end(body[0]);
		} else {
			writeNext();
		}
	}

	#answer(answer: http.IncomingMessage): void {
		const {outgoing, resolve} = this.#parts;
		if (!this.#settle()) {
			answer.destroy();
			return;
		}

		if (!outgoing.writableFinished) {
			// The server answered before it had the whole body, so this connection cannot carry another request.
			answer.once('end', () => outgoing.destroy());
		}

		resolve(answer);
	}

	readonly #abort = (): void => {
		const {outgoing, limits, reject} = this.#parts;
		if (this.#settle()) {
			outgoing.destroy();
			const reason: unknown = limits.signal?.reason;
			reject(reason instanceof Error ? reason : new Error('aborted', {cause: reason}));
		}
	};

	#watch(limitMs: number, symptom: string): void {
		if (this.#isSettled) {
			return;
		}

		clearTimeout(this.#timer);
		const waitMs = Math.max(1, Math.min(limitMs, this.#endsAtMs - performance.now()));
		this.#timer = setTimeout(() => {
			this.#fail('timeout', `${symptom} (waited ${Math.round(waitMs)} ms)`);
		}, waitMs);
	}

	#fail(kind: 'timeout' | 'network', message: string, cause?: Error): void {
		const {outgoing, reject} = this.#parts;
		if (this.#settle()) {
			outgoing.destroy();
			const isStaleConnection = kind === 'network' && this.#isReused;
			reject(new HttpFailure(message, {kind, wasSent: this.#isConnected, isStaleConnection, cause}));
		}
	}

	#settle(): boolean {
		if (this.#isSettled) {
			return false;
		}

		this.#isSettled = true;
		clearTimeout(this.#timer);
		this.#parts.limits.signal?.removeEventListener('abort', this.#abort);
		return true;
	}
}

function* toPieces(body: readonly Uint8Array[]): Generator<Uint8Array> {
	for (const part of body) {
		for (let offset = 0; offset < part.length; offset += pieceBytes) {
			yield part.subarray(offset, offset + pieceBytes);
		}
	}
}
