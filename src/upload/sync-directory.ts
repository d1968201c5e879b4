import fs from 'node:fs/promises';

type Flushes = {running: Promise<void> | undefined; next: Promise<void> | undefined};

const flushesByDirectory = new Map<string, Flushes>();

/**
Brings the names of a directory to stable storage: those that were made or removed before this call. Calls that come
while a flush is on its way share the one after it, as that one may have begun too early for them.
*/
export const syncDirectory = async (directory: string): Promise<void> => {
	const flushes = flushesByDirectory.get(directory) ?? {running: undefined, next: undefined};
	flushesByDirectory.set(directory, flushes);
	flushes.next ??= flushAfter(directory, flushes);
	return flushes.next;
};

const flushAfter = async (directory: string, flushes: Flushes): Promise<void> => {
	// Whoever waits for that one hears of its failure.
	await flushes.running?.catch(() => undefined);
	flushes.running = flushes.next;
	flushes.next = undefined;
	try {
		await flush(directory);
	} finally {
		if (flushes.next === undefined) {
			flushesByDirectory.delete(directory);
		}
	}
};

const flush = async (directory: string): Promise<void> => {
	const handle = await fs.open(directory, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
};
