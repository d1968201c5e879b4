import {readFileSync} from 'node:fs';

/**
A process that cannot be mistaken for another: pids are used again, also after a reboot, so the identity holds when
it started (in clock ticks since the boot) and in which boot.
*/
export type ProcessIdentity = {
	readonly pid: number;
	readonly startTicks: string;
	readonly bootId: string;
};

/** The identity of a running process; `undefined` when there is none of that pid, or only its zombie. */
export const readProcessIdentity = (pid: number): ProcessIdentity | undefined => {
	const stat = readStat(pid);
	// The first thread may end before the others, which still write what the kernel was writing for them.
	const isOver = stat === undefined || stat.state === 'X' || (stat.state === 'Z' && stat.threadCount <= 1);
	return isOver ? undefined : {pid, startTicks: stat.startTicks, bootId: readBootId()};
};

type ProcessStat = {readonly state: string; readonly threadCount: number; readonly startTicks: string};

const readStat = (pid: number): ProcessStat | undefined => {
	const stat = readProcFile(`/proc/${pid}/stat`);
	// proc_pid_stat(5): the name in parentheses may hold spaces and parentheses itself. State, number of threads and
	// start time are the fields 3, 20 and 22.
	const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
	const state = fields?.[0];
	const startTicks = fields?.[19];
	return state === undefined || startTicks === undefined
		? undefined
		: {state, threadCount: Number(fields?.[17]), startTicks};
};

/** Another one after each start of the machine. */
export const readBootId = (): string => readProcFile('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';

export const isRunning = (identity: ProcessIdentity): boolean => {
	const current = readProcessIdentity(identity.pid);
	return current !== undefined && current.startTicks === identity.startTicks && current.bootId === identity.bootId;
};

/**
Whether the process was killed and runs all the same: one of its threads waits in the kernel, for a disk, or for an
answer that only the process itself could give. It answers nobody any more.
*/
export const wasKilled = (identity: ProcessIdentity): boolean =>
	isRunning(identity) && readStat(identity.pid)?.state === 'Z';

export const canAnswer = (identity: ProcessIdentity): boolean => isRunning(identity) && !wasKilled(identity);

/** Sends a signal to the process, never to another one that got its pid; whether there was anybody to send it to. */
export const signalProcess = (identity: ProcessIdentity, signal: NodeJS.Signals): boolean => {
	if (!isRunning(identity)) {
		return false;
	}

	try {
		process.kill(identity.pid, signal);
		return true;
	} catch {
		return false; // It ended in between.
	}
};

const readProcFile = (path: string): string | undefined => {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return undefined; // The process is gone (ENOENT, or ESRCH between open and read).
	}
};
