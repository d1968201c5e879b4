import {connect, type Socket} from 'node:net';
import {parseMetricSamples, type MetricSamples} from '../../model/metric-samples.ts';
import type {ControlReply, ControlRequest, DaemonStatus, WarmUpProgress} from './daemon-protocol.ts';
import type {Deadline} from '../deadline.ts';

/** What a `drain` or `stop` came to. */
export type ControlOutcome =
	/** `dirtyBytes` of the last progress line: 0 when nothing was left. */
	| {readonly outcome: 'done'; readonly dirtyBytes: number}
	| {readonly outcome: 'failed'; readonly message: string; readonly dirtyBytes: number}
	/** It took the request, but did not end in time. */
	| {readonly outcome: 'timeout'; readonly dirtyBytes: number}
	/** Nobody listens, or the connection broke off. */
	| {readonly outcome: 'unreachable'};

export type Progress = {readonly dirtyBytes: number; readonly uploadsPending: number};

const replyBytesMax = 1_048_576;

/** The daemon's status; `undefined` when nobody answers before the deadline. */
export const askStatus = async (socketPath: string, deadline: Deadline): Promise<DaemonStatus | undefined> => {
	let status: DaemonStatus | undefined;
	await converse(socketPath, {request: 'status'}, deadline, reply => {
		status = reply.reply === 'status' ? reply.status : undefined;
		return true;
	});
	return status;
};

/**
What the daemon counted; `undefined` when nobody answers before the deadline, or when the daemon is too old to know
the question.
*/
export const askMetrics = async (socketPath: string, deadline: Deadline): Promise<MetricSamples | undefined> => {
	let samples: MetricSamples | undefined;
	await converse(socketPath, {request: 'metrics'}, deadline, reply => {
		samples = reply.reply === 'metrics' ? parseMetricSamples(reply.samples) : undefined;
		return true;
	});
	return samples;
};

/** Asks for `drain` or `stop`. The daemon gets a little less time than we wait, so that its own answer comes first. */
export const askToEnd = async (
	socketPath: string,
	request: 'drain' | 'stop',
	deadline: Deadline,
	onProgress: (progress: Progress) => void = () => undefined,
): Promise<ControlOutcome> => {
	let dirtyBytes = 0;
	let ended: ControlOutcome | undefined;
	const timeoutMs = Math.max(1, Math.floor(deadline.remainingMs() * 0.95 - 50));
	const how = await converse(socketPath, {request, timeoutMs}, deadline, reply => {
		switch (reply.reply) {
			case 'progress': {
				dirtyBytes = reply.dirtyBytes;
				onProgress({dirtyBytes, uploadsPending: reply.uploadsPending});
				return false;
			}

			case 'done': {
				ended = {outcome: 'done', dirtyBytes};
				return true;
			}

			case 'failed': {
				ended = {outcome: 'failed', message: reply.message, dirtyBytes};
				return true;
			}

			case 'status':
			case 'metrics':
			case 'warmed': {
				return false;
			}
		}
	});
	return ended ?? (how === 'timeout' ? {outcome: 'timeout', dirtyBytes} : {outcome: 'unreachable'});
};

/** Asks a daemon to end by itself later; whether it will. One of an older version does not know how. */
export const askToLinger = async (socketPath: string, forMs: number, deadline: Deadline): Promise<boolean> => {
	let isAgreed = false;
	await converse(socketPath, {request: 'linger', forMs}, deadline, reply => {
		isAgreed = reply.reply === 'done';
		return true;
	});
	return isAgreed;
};

export type WarmUpOutcome =
	| {readonly outcome: 'done'; readonly progress: WarmUpProgress}
	| {readonly outcome: 'failed'; readonly message: string}
	| {readonly outcome: 'timeout' | 'unreachable'};

/** Asks a daemon to read ahead what lies below a path of its volume. */
export const askToWarmUp = async (
	socketPath: string,
	request: {readonly path: string; readonly isMetadataOnly: boolean},
	deadline: Deadline,
	onProgress: (progress: WarmUpProgress) => void = () => undefined,
): Promise<WarmUpOutcome> => {
	let progress: WarmUpProgress = {files: 0, bytes: 0, skippedFiles: 0, failedFiles: 0};
	let ended: WarmUpOutcome | undefined;
	const how = await converse(socketPath, {request: 'warmup', ...request}, deadline, reply => {
		if (reply.reply === 'warmed') {
			({progress} = reply);
			onProgress(progress);
		} else if (reply.reply === 'done') {
			ended = {outcome: 'done', progress};
		} else if (reply.reply === 'failed') {
			ended = {outcome: 'failed', message: reply.message};
		}

		return ended !== undefined;
	});
	return ended ?? {outcome: how === 'timeout' ? 'timeout' : 'unreachable'};
};

/**
One connection: the request as a line, then replies until `onReply` has enough. Never rejects: a broken socket is an
answer too.
*/
const converse = async (
	socketPath: string,
	request: ControlRequest,
	deadline: Deadline,
	onReply: (reply: ControlReply) => boolean,
): Promise<'answered' | 'closed' | 'timeout'> => {
	const {promise, resolve} = Promise.withResolvers<'answered' | 'closed' | 'timeout'>();
	const socket: Socket = connect(socketPath);
	const timer = setTimeout(resolve, deadline.remainingMs(), 'timeout');
	let received = '';
	socket.setEncoding('utf8');
	socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
	socket.on('error', () => resolve('closed'));
	socket.on('close', () => resolve('closed'));
	socket.on('data', (text: string) => {
		received += text;
		for (let newline = received.indexOf('\n'); newline !== -1; newline = received.indexOf('\n')) {
			const reply = parseReply(received.slice(0, newline));
			received = received.slice(newline + 1);
			if (reply !== undefined && onReply(reply)) {
				resolve('answered');
				return;
			}
		}

		if (received.length > replyBytesMax) {
			resolve('closed');
		}
	});
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
		socket.destroy();
	}
};

/** Lines that are no reply of the protocol are passed over: a newer daemon may say more. */
const parseReply = (line: string): ControlReply | undefined => {
	try {
		const parsed: unknown = JSON.parse(line);
		const known =
			typeof parsed === 'object' &&
			parsed !== null &&
			'reply' in parsed &&
			['status', 'metrics', 'progress', 'warmed', 'done', 'failed'].includes(String(parsed.reply));
		return known ? (parsed as ControlReply) : undefined;
	} catch {
		return undefined;
	}
};
