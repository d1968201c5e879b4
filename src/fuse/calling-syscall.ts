import {readFile} from 'node:fs/promises';

/**
Numbers of the calls that remove a name and of those that replace one, on x86-64 and arm64 and of 32-bit programs
on x86-64 (asm/unistd*.h). The numbers that mean something else elsewhere belong to calls that never reach us.
*/
const unlinkNumbers: ReadonlySet<number> = new Set([87, 263, 35, 10, 301]);
const renameNumbers: ReadonlySet<number> = new Set([82, 264, 316, 38, 276, 302, 353]);

/**
Which system call a thread waits in: the one that made the kernel ask us. `undefined` when it cannot be told: the thread
is in another PID namespace, belongs to somebody else, or works for io_uring.
*/
export const callingSyscall = async (threadId: number): Promise<'unlink' | 'rename' | undefined> => {
	let line: string;
	try {
		line = await readFile(`/proc/${threadId}/syscall`, 'utf8');
	} catch {
		return undefined; // We may not see it: the caller works without it.
	}

	const number = Number.parseInt(line, 10);
	if (unlinkNumbers.has(number)) {
		return 'unlink';
	}

	return renameNumbers.has(number) ? 'rename' : undefined;
};
