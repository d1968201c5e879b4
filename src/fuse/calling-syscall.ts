import {open, readFile} from 'node:fs/promises';

/** A system call that a thread waits in. */
export type Syscall = {
	readonly number: number;
	/** In hexadecimal. */
	readonly args: readonly string[];
};

/**
Numbers of the calls that remove a name and of those that replace one, on x86-64 and arm64 and of 32-bit programs
on x86-64 (asm/unistd*.h). The numbers that mean something else elsewhere belong to calls that never reach us.
*/
const unlinkNumbers: ReadonlySet<number> = new Set([87, 263, 35, 10, 301]);
const renameNumbers: ReadonlySet<number> = new Set([82, 264, 316, 38, 276, 302, 353]);

/** What is known of the call that made the kernel ask us: whether it removes a name, or replaces one. */
export const callingSyscall = async (threadId: number): Promise<'unlink' | 'rename' | undefined> => {
	const number = (await readSyscall(threadId))?.number;
	if (number === undefined) {
		return undefined;
	}

	if (unlinkNumbers.has(number)) {
		return 'unlink';
	}

	return renameNumbers.has(number) ? 'rename' : undefined;
};

/**
Which system call a thread waits in: the one that made the kernel ask us. `undefined` when it cannot be told: the thread
is in another PID namespace, belongs to somebody else, or works for io_uring.
*/
export const readSyscall = async (threadId: number): Promise<Syscall | undefined> => {
	// proc_pid_syscall(5): `257 0xffffff9c 0x7ffd… 0x80000 …`, or `running` until the thread has gone to sleep.
	for (let attempt = 1; attempt <= 2; attempt++) {
		let line: string;
		try {
			line = await readFile(`/proc/${threadId}/syscall`, 'utf8');
		} catch {
			return undefined; // We may not see it: the caller works without it.
		}

		const [first = '', ...args] = line.trim().split(' ');
		if (/^\d+$/.test(first)) {
			return {number: Number(first), args};
		}
	}

	return undefined;
};

/** The path that a thread gave to its system call; `undefined` when it cannot be read. */
export const readPathArgument = async (threadId: number, address: string): Promise<string | undefined> => {
	try {
		const memory = await open(`/proc/${threadId}/mem`);
		try {
			const buffer = Buffer.alloc(pathBytesMax);
			const {bytesRead} = await memory.read({buffer, position: BigInt(address)});
			const end = buffer.subarray(0, bytesRead).indexOf(0);
			return end === -1 ? undefined : buffer.toString('utf8', 0, end);
		} finally {
			await memory.close();
		}
	} catch {
		return undefined;
	}
};

/** PATH_MAX of Linux. */
const pathBytesMax = 4096;
