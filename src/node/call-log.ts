import {appendFileSync} from 'node:fs';

/** Which volume a call is about, and for whom, as far as it is known. */
export type CallLogFields = {
	readonly volume?: string | undefined;
	readonly bucket?: string | undefined;
	/** `namespace/name`. */
	readonly pod?: string | undefined;
};

export type CallRecord = {
	readonly call: string;
	readonly path: string;
	readonly durationMs: number;
	readonly status: string;
	/** Already free of secrets and line breaks. */
	readonly message?: string | undefined;
	readonly fields?: CallLogFields | undefined;
};

/**
Adds the line of a call to the log, in the shape of the daemons' lines: when, call, pod and volume, duration,
outcome. Never the options, which hold secrets. Whether it could: a full disk must not fail the call itself.
*/
export const logCall = (
	logPath: string,
	{call, path, durationMs, status, message, fields = {}}: CallRecord,
): boolean => {
	const isFailure = status === 'Failure';
	return logLine(logPath, isFailure ? 'error' : 'info', {
		...fields,
		call,
		...parsePathTail(path),
		durationMs: Math.round(durationMs),
		status,
		...(isFailure ? {err: {message}} : {remark: message}),
		msg: isFailure ? 'call failed' : 'call answered',
	});
};

type Level = 'info' | 'warn' | 'error' | 'fatal';
type LineFields = Readonly<Record<string, unknown>> & {readonly msg: string};

/** Adds any other line; whether it could. For a process that starts too often to load a logger. */
export const logLine = (logPath: string, level: Level, fields: LineFields): boolean => {
	try {
		appendFileSync(logPath, formatLogLine(level, fields), {mode: 0o600});
		return true;
	} catch {
		return false;
	}
};

/** A line of the log, with its line feed. */
export const formatLogLine = (level: Level, fields: LineFields): string =>
	`${JSON.stringify({level, time: new Date().toISOString(), pid: process.pid, ...fields})}\n`;

/** `namespace/name` of a pod, for the log and for people; `undefined` where the kubelet did not say. */
export const toPodName = ({
	namespace,
	name,
}: {
	namespace?: string | undefined;
	name?: string | undefined;
}): string | undefined => (name === undefined ? undefined : `${namespace ?? '?'}/${name}`);

/** The end of a kubelet's path, the same for every root directory: `<pod uid>/volumes/pnx~volume/<volume>`. */
const parsePathTail = (path: string): {path: string; podUid?: string} => {
	const tail = path.split('/').slice(-4);
	return {path: tail.join('/'), ...(tail[1] === 'volumes' ? {podUid: tail[0] ?? ''} : {})};
};
