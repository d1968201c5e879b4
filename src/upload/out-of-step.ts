import {setTimeout as delay} from 'node:timers/promises';

/** Many nodes write a key at once, and one of them wins each time: out of step they all get their turn. */
export const outOfStep = async (attempt: number): Promise<void> => {
	if (attempt > eagerAttemptCount) {
		await delay(Math.random() * Math.min(attempt * 10, retryDelayMsMax));
	}
};

const eagerAttemptCount = 4;
const retryDelayMsMax = 300;
