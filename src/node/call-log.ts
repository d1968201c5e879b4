import {appendFileSync} from 'node:fs';

export type CallRecord = {
	readonly call: string;
	readonly path: string;
	readonly durationMs: number;
	readonly status: string;
	/** Already free of secrets and line breaks. */
	readonly message?: string | undefined;
};

/**
Adds the line of a call to the log: when, call, pod and volume, duration, outcome. Never the options, which hold secrets.
Whether it could: a full disk must not fail the call itself.
*/
export const logCall = (logPath: string, {call, path, durationMs, status, message}: CallRecord): boolean => {
	const line = [new Date().toISOString(), call, pathTail(path), `${Math.round(durationMs)}ms`, status, ...(message === undefined ? [] : [message])].join(' ');
	try {
		appendFileSync(logPath, `${line}\n`, {mode: 0o600});
		return true;
	} catch {
		return false;
	}
};

/** The end of a kubelet's path, the same for every root directory: `<pod uid>/volumes/pnx~volume/<volume>`. */
const pathTail = (path: string): string => path.split('/').slice(-4).join('/').replaceAll(/[\s\0-\u001F\u007F]/g, '?');
