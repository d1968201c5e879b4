import {setTimeout as delay} from 'node:timers/promises';

/** How often a change is tried while others change the same object. */
export const raceCountMax = 20;

/** Many nodes change one object, and one of them wins each time: out of step they all get their turn. */
export const backOff = async (attemptCount: number): Promise<void> =>
	delay(attemptCount === 1 ? 0 : Math.random() * Math.min(attemptCount * 20, 300));
