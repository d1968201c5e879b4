import {spawn, type ChildProcessWithoutNullStreams} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import {toReason} from '../model/error-text.ts';
import type {WatchMessage} from '../healing/watch-message.ts';
import {systemPath} from '../node/host/run-command.ts';
import type {Logger} from '../observability/logger.ts';

export type WatchProcessOptions = {
	/** `pnx-volume watch` of the installed runtime, in the namespaces of the node. */
	readonly commandLine: readonly string[];
	/** PNX_VOLUME_*; nothing else of ours is the node's business. */
	readonly variables: Readonly<Record<string, string>>;
	readonly onMessage: (message: WatchMessage) => void;
	readonly log: Pick<Logger, 'info' | 'warn'>;
	/** A watch that reports nothing for this long is ended and started again. */
	readonly silenceMsMax?: number;
	readonly firstRestartMs?: number;
};

const restartMsMax = 30_000;
/** After a run of this length, the next failure counts as the first. */
const longLifeMs = 60_000;
const endMs = 5000;
const lineCharactersMax = 16 * 2 ** 20;

/** The watch of the node, started again whenever it ends. */
export class WatchProcess {
	readonly #options: WatchProcessOptions;
	readonly #closing = new AbortController();
	readonly #supervisor: Promise<void>;
	#child: ChildProcessWithoutNullStreams | undefined;
	#problem: string | undefined;

	/** Starts it. */
	constructor(options: WatchProcessOptions) {
		this.#options = options;
		this.#supervisor = this.#supervise();
	}

	/** Why no watch runs at the moment. */
	get problem(): string | undefined {
		return this.#problem;
	}

	/** Asks it to end, and kills it if it does not. Daemons that it started keep running. */
	async close(): Promise<void> {
		this.#closing.abort();
		await endChild(this.#child);
		await this.#supervisor;
	}

	async #supervise(): Promise<void> {
		const {log, firstRestartMs = 1000} = this.#options;
		const {signal} = this.#closing;
		for (let restartMs = firstRestartMs; !signal.aborted; ) {
			const startedAtMs = performance.now();
			const reason = await this.#runOnce();
			if (signal.aborted) {
				return;
			}

			restartMs = performance.now() - startedAtMs > longLifeMs ? firstRestartMs : restartMs;
			this.#problem = `The watch of this node does not run, so nothing is healed (it is started again): ${reason}`;
			log.warn({reason, restartMs}, 'the watch ended');
			await delay(restartMs, undefined, {signal}).catch(() => undefined); // Closing ends the wait.
			restartMs = Math.min(restartMsMax, restartMs * 2);
		}
	}

	/** Resolves with the reason of its end. */
	async #runOnce(): Promise<string> {
		const {commandLine, variables, log, silenceMsMax = 120_000} = this.#options;
		const [command = '', ...args] = commandLine;
		const child = spawn(command, args, {
			cwd: '/',
			env: {PATH: systemPath, LC_ALL: 'C', ...variables},
			stdio: ['pipe', 'pipe', 'pipe'],
		});
		this.#child = child;
		let lastError = '';
		// It may end while we write or close.
		child.stdin.on('error', error => log.warn({err: error}, 'the watch does not read its input'));
		const silence = setTimeout(() => {
			lastError = `killed by the agent, because it had reported nothing for ${Math.ceil(silenceMsMax / 1000)} s`;
			child.kill('SIGKILL');
		}, silenceMsMax);
		createInterface({input: child.stderr}).on('line', line => {
			lastError = line.slice(0, 500);
			log.info({watch: line.slice(0, 2000)}, 'the watch says');
		});
		createInterface({input: child.stdout}).on('line', line => this.#take(line, silence));
		const {promise, resolve} = Promise.withResolvers<string>();
		child.on('error', error => resolve(toReason(error)));
		child.on('close', (code, signal) =>
			resolve(`it ended with ${signal ?? `exit status ${code}`}${lastError === '' ? '' : `: ${lastError}`}`),
		);
		try {
			return await promise;
		} finally {
			clearTimeout(silence);
			this.#child = undefined;
		}
	}

	#take(line: string, silence: NodeJS.Timeout): void {
		const {onMessage, log} = this.#options;
		const message = parseMessage(line);
		if (message === undefined) {
			log.warn({line: line.slice(0, 200)}, 'the watch wrote a line that the agent does not understand');
			return;
		}

		silence.refresh();
		this.#problem = message.type === 'report' ? undefined : this.#problem;
		onMessage(message);
	}
}

/** By the end of its input, as agreed; by signals if it does not listen. */
const endChild = async (child: ChildProcessWithoutNullStreams | undefined): Promise<void> => {
	if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
		return;
	}

	const ended = once(child, 'exit');
	child.stdin.end();
	for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
		if (await Promise.race([ended.then(() => true), delay(endMs, false, {ref: false})])) {
			return;
		}

		child.kill(signal);
	}

	await ended;
};

const parseMessage = (line: string): WatchMessage | undefined => {
	try {
		const value: unknown = line.length > lineCharactersMax ? undefined : JSON.parse(line);
		return isMessage(value) ? value : undefined;
	} catch {
		return undefined; // Its line goes to the log.
	}
};

/** It is our own program of our own version; so only the outline is looked at. */
const isMessage = (value: unknown): value is WatchMessage => {
	if (typeof value !== 'object' || value === null || !('type' in value)) {
		return false;
	}

	return (
		(value.type === 'report' &&
			'report' in value &&
			typeof value.report === 'object' &&
			value.report !== null &&
			'volumes' in value.report &&
			Array.isArray(value.report.volumes)) ||
		(value.type === 'notice' &&
			'notice' in value &&
			typeof value.notice === 'object' &&
			value.notice !== null &&
			'pods' in value.notice &&
			Array.isArray(value.notice.pods))
	);
};
