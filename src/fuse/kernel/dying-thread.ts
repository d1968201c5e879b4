import {readFile} from 'node:fs/promises';

/**
Signals whose default is to be ignored, or to stop or continue the process (signal(7)): CHLD, CONT, STOP, TSTP, TTIN,
TTOU, URG, WINCH.
*/
const harmlessSignals = [17, 18, 19, 20, 21, 22, 23, 28];
const bitOf = (signal: number): bigint => 1n << BigInt(signal - 1);
const harmlessMask = harmlessSignals.reduce((mask, signal) => mask | bitOf(signal), 0n);

/**
Whether a thread that waits for us is about to end: a signal is pending that nothing catches. The kernel tells of every
signal (INTERRUPT), also of one that a program handles in a moment; its call goes on then, as it does on a local disk.
*/
export const isDying = async (threadId: number): Promise<boolean> => {
	if (threadId === 0) {
		return false; // Of a PID namespace that we do not see.
	}

	try {
		return hasDeadlySignal(await readFile(`/proc/${threadId}/status`, 'utf8'));
	} catch {
		return false;
	}
};

/** proc_pid_status(5): `SigPnd:	0000000000000100`, in hexadecimal. */
export const hasDeadlySignal = (status: string): boolean => {
	const mask = (name: string): bigint =>
		BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
	const pending = mask('SigPnd') | mask('ShdPnd');
	return (
		(pending & bitOf(9)) !== 0n ||
		(pending & ~mask('SigBlk') & ~mask('SigIgn') & ~mask('SigCgt') & ~harmlessMask) !== 0n
	);
};
