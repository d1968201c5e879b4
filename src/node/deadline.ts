import {setTimeout as delay} from 'node:timers/promises';

/** A point in time that a whole operation has to keep, handed down to each of its waits. */
export type Deadline = {
	/** 0 once it has passed. */
	remainingMs(): number;
	/** An earlier deadline: at most so long from now, never later than this one. */
	within(timeoutMs: number): Deadline;
};

export const createDeadline = (timeoutMs: number): Deadline => {
	// The monotonic clock: a wait must not change its length because somebody set the time.
	const endMs = performance.now() + timeoutMs;
	const remainingMs = () => Math.max(0, endMs - performance.now());
	return {remainingMs, within: shorterMs => createDeadline(Math.min(shorterMs, remainingMs()))};
};

/** Asks again and again until the answer is yes or the deadline has passed; asks at least once. */
export const waitUntil = async (
	condition: () => boolean | Promise<boolean>,
	deadline: Deadline,
	intervalMs = 20,
): Promise<boolean> => {
	for (;;) {
		if (await condition()) {
			return true;
		}

		const remainingMs = deadline.remainingMs();
		if (remainingMs === 0) {
			return false;
		}

		await delay(Math.min(intervalMs, remainingMs));
	}
};
