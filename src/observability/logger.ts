import {type Logger, pino} from 'pino';
import type {LogLevel} from '../model/log-level.ts';

export type {Logger} from 'pino';

export type LoggerOptions = {
	readonly level: LogLevel;
	/** A file, a descriptor that is open (1 for stdout), or whatever takes the lines. */
	readonly destination: string | number | {readonly write: (line: string) => void};
	/**
	A process that ends soon writes at once; a daemon must not wait for its log, and calls `flushLog` before it ends.
	*/
	readonly isSynchronous: boolean;
	/** What every line says besides the time, the level and the pid. */
	readonly fields?: Readonly<Record<string, string>> | undefined;
	/** More of that, which changes: asked for with each line. */
	readonly currentFields?: (() => Readonly<Record<string, unknown>>) | undefined;
	/** Values that must not be in any line, however they got there. */
	readonly secrets?: readonly string[] | undefined;
};

const secretName = /secret|token|password|credential|authorization|kubernetes\.io\/secret\//i;

/** Deeper than any of our fields; keeps a circle from being followed for ever. */
const depthMax = 6;

/** Shorter ones would blot out innocent words, and keep nothing from anybody. */
const secretLengthMin = 8;

/**
Writes JSON lines. Fields that are named like a secret are never written, wherever they are, nor the secrets that
are given.
*/
export const createLogger = (options: LoggerOptions): Logger =>
	pino(
		{
			level: options.level,
			base: {pid: process.pid, ...options.fields},
			timestamp: pino.stdTimeFunctions.isoTime,
			formatters: {
				level: label => ({level: label}),
				log: fields => redact(fields, 0) as Record<string, unknown>,
			},
			// With what a library hung onto an error: S3 clients keep requests there.
			serializers: {
				err: (error: unknown) => redact(error instanceof Error ? {...pino.stdSerializers.err(error)} : error, 0),
			},
			hooks: {streamWrite: createBlotter(options.secrets ?? [])},
			...(options.currentFields === undefined ? {} : {mixin: options.currentFields}),
		},
		typeof options.destination === 'object'
			? options.destination
			: pino.destination({
					dest: options.destination,
					sync: options.isSynchronous,
					...(typeof options.destination === 'string' ? {append: true, mode: 0o600} : {}),
				}),
	);

/** Writes out what a logger still has in memory, waiting for it: the last thing a process does. */
export const flushLog = (logger: Logger): void => {
	const stream = (logger as unknown as Record<symbol, {flushSync?: () => void}>)[pino.symbols.streamSym];
	try {
		stream?.flushSync?.();
	} catch {
		// The disk is full or the log is gone: nobody is left to be told.
	}
};

/** Takes secrets out of a line, as they are and as JSON and base64 spell them. */
const createBlotter = (secrets: readonly string[]): ((line: string) => string) => {
	const spellings = secrets
		.filter(secret => secret.length >= secretLengthMin)
		.flatMap(secret => [
			secret,
			JSON.stringify(secret).slice(1, -1),
			Buffer.from(secret).toString('base64'),
			encodeURIComponent(secret),
		]);
	return line => {
		let blotted = line;
		for (const spelling of new Set(spellings)) {
			blotted = blotted.replaceAll(spelling, '[redacted]');
		}

		return blotted;
	};
};

const redact = (value: unknown, depth: number): unknown => {
	if (typeof value !== 'object' || value === null || value instanceof Error || depth === depthMax) {
		return value;
	}

	if (Array.isArray(value)) {
		return value.map(item => redact(item, depth + 1));
	}

	return Object.fromEntries(
		Object.entries(value).map(([name, field]) => [
			name,
			secretName.test(name) ? '[redacted]' : redact(field, depth + 1),
		]),
	);
};
