import {chmod, rm} from 'node:fs/promises';
import {createServer, type Server, type Socket} from 'node:net';
import type {WarmUpOptions, WarmUpProgress} from '../filesystem/filesystem.ts';
import {messageOf} from '../model/error-text.ts';
import type {MetricSamples} from '../model/metric-samples.ts';
import type {ControlReply, ControlRequest, DaemonStatus} from '../node/launch/daemon-protocol.ts';

export type Progress = {readonly dirtyBytes: number; readonly uploadsPending: number};

export type ControlHandler = {
	readonly status: () => DaemonStatus;
	readonly metrics: () => MetricSamples;
	/** Rejects when something is left after `timeoutMs`, or when the connection of the waiting client ends. */
	readonly drain: (options: {
		timeoutMs: number;
		onProgress: (progress: Progress) => void;
		signal: AbortSignal;
	}) => Promise<void>;
	/** Reads ahead what lies below a path; rejects when the signal ends it first. */
	readonly warmUp: (path: string, options: WarmUpOptions) => Promise<WarmUpProgress>;
	readonly linger: (options: {forMs: number}) => void;
	readonly stop: (options: {timeoutMs: number; onProgress: (progress: Progress) => void}) => Promise<void>;
};

const requestBytesMax = 8192;
const requestMsMax = 5000;
const connectionCountMax = 16;
const timeoutMsMax = 86_400_000;
const warmUpReportMs = 500;

/** Answers as `daemon-protocol.ts` says: one request per connection. */
export class ControlServer {
	readonly #socketPath: string;
	readonly #sockets = new Set<Socket>();
	readonly #server: Server;

	private constructor(socketPath: string, handler: ControlHandler) {
		this.#socketPath = socketPath;
		this.#server = createServer(socket => {
			this.#sockets.add(socket);
			socket.once('close', () => this.#sockets.delete(socket));
			void serve(socket, handler);
		});
		this.#server.maxConnections = connectionCountMax;
	}

	/**
	Listens on a Unix socket that only we (and root) may open. A socket that an earlier process left is replaced; whoever
	starts daemons makes sure that there is only one.
	*/
	static async start(socketPath: string, handler: ControlHandler): Promise<ControlServer> {
		const control = new ControlServer(socketPath, handler);
		await control.#listen();
		return control;
	}

	/** Ends connections and removes the socket. */
	async close(): Promise<void> {
		const closed = new Promise(done => {
			this.#server.close(done);
		});
		for (const socket of this.#sockets) {
			socket.destroySoon();
		}

		await closed;
		await rm(this.#socketPath, {force: true});
	}

	async #listen(): Promise<void> {
		await rm(this.#socketPath, {force: true});
		const {promise: listening, resolve, reject} = Promise.withResolvers<void>();
		this.#server.once('error', reject);
		this.#server.listen(this.#socketPath, resolve);
		await listening;
		await chmod(this.#socketPath, 0o600);
		// It must not keep a daemon alive whose mount has ended.
		this.#server.unref();
	}
}

/** Never rejects: what goes wrong is the reply. */
const serve = async (socket: Socket, handler: ControlHandler): Promise<void> => {
	const gone = new AbortController();
	socket.on('error', () => gone.abort());
	socket.once('close', () => gone.abort());
	const send = (reply: ControlReply): void => {
		if (socket.writable) {
			socket.write(`${JSON.stringify(reply)}\n`);
		}
	};

	const onProgress = (progress: Progress): void =>
		send({reply: 'progress', dirtyBytes: progress.dirtyBytes, uploadsPending: progress.uploadsPending});
	try {
		const request = parseControlRequest(await readLine(socket));
		switch (request.request) {
			case 'status': {
				send({reply: 'status', status: handler.status()});
				break;
			}

			case 'metrics': {
				send({reply: 'metrics', samples: handler.metrics()});
				break;
			}

			case 'drain': {
				await handler.drain({timeoutMs: request.timeoutMs, onProgress, signal: gone.signal});
				send({reply: 'done'});
				break;
			}

			case 'warmup': {
				await warmUp(handler, request, {send, signal: gone.signal});
				send({reply: 'done'});
				break;
			}

			case 'linger': {
				handler.linger({forMs: request.forMs});
				send({reply: 'done'});
				break;
			}

			case 'stop': {
				await handler.stop({timeoutMs: request.timeoutMs, onProgress});
				send({reply: 'done'});
				break;
			}
		}
	} catch (error) {
		send({reply: 'failed', message: messageOf(error)});
	} finally {
		socket.end();
	}
};

/** Says how far it is now and then, and at the end. */
const warmUp = async (
	handler: ControlHandler,
	{path, isMetadataOnly}: Extract<ControlRequest, {request: 'warmup'}>,
	{send, signal}: {send: (reply: ControlReply) => void; signal: AbortSignal},
): Promise<void> => {
	let latest: WarmUpProgress | undefined;
	const timer = setInterval(() => {
		if (latest !== undefined) {
			send({reply: 'warmed', progress: latest});
		}
	}, warmUpReportMs);
	try {
		const progress = await handler.warmUp(path, {
			isMetadataOnly,
			signal,
			onProgress(now) {
				latest = now;
			},
		});
		send({reply: 'warmed', progress});
	} finally {
		clearInterval(timer);
	}
};

const readLine = async (socket: Socket): Promise<string> => {
	const {promise, resolve, reject} = Promise.withResolvers<string>();
	let received = '';
	socket.setEncoding('utf8').on('data', (text: string) => {
		received += text;
		const newline = received.indexOf('\n');
		if (newline !== -1) {
			resolve(received.slice(0, newline));
		} else if (received.length > requestBytesMax) {
			reject(new RangeError(`Cannot read the request: it is longer than ${requestBytesMax} bytes`));
		}
	});
	socket.once('end', () =>
		reject(new SyntaxError('Cannot read the request: the connection ended in the middle of the line')),
	);
	socket.once('close', () => reject(new Error('Cannot read the request: the connection was closed')));
	const timer = setTimeout(
		reject,
		requestMsMax,
		new Error(`Cannot read the request: nothing came within ${requestMsMax / 1000} s`),
	);
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
	}
};

/** What came over the socket, or a `SyntaxError` that says what is wrong with it. */
export const parseControlRequest = (line: string): ControlRequest => {
	const parsed: unknown = JSON.parse(line);
	const {request, timeoutMs, forMs, path, isMetadataOnly} = (
		typeof parsed === 'object' && parsed !== null ? parsed : {}
	) as Record<string, unknown>;
	if (request === 'status' || request === 'metrics') {
		return {request};
	}

	if (request === 'linger') {
		return {request, forMs: parseMs(request, 'forMs', forMs)};
	}

	if (request === 'warmup') {
		if (typeof path !== 'string' || typeof isMetadataOnly !== 'boolean') {
			throw new SyntaxError('Cannot serve the request "warmup": path must be a text, and isMetadataOnly true or false');
		}

		return {request, path, isMetadataOnly};
	}

	if (request !== 'drain' && request !== 'stop') {
		throw new SyntaxError(
			'Cannot serve the request: it must be "status", "metrics", "drain", "warmup", "linger" or "stop"',
		);
	}

	return {request, timeoutMs: parseMs(request, 'timeoutMs', timeoutMs)};
};

const parseMs = (request: string, name: string, value: unknown): number => {
	if (typeof value !== 'number' || !(value >= 0 && value <= timeoutMsMax)) {
		throw new SyntaxError(`Cannot serve the request "${request}": ${name} must be a number from 0 to ${timeoutMsMax}`);
	}

	return value;
};
