/**
When a volume's daemon may be started again: at once after the first death, and later and later while it keeps
dying.
*/
export type BackOff = {
	/** Starts since it last ran well for long. */
	readonly startCount: number;
	readonly lastStartAtMs: number;
};

export const noBackOff: BackOff = {startCount: 0, lastStartAtMs: 0};

const firstDelayMs = 1000;
const delayMsMax = 300_000;
/** After a run of this length, the next death counts as the first. */
const wellMs = 600_000;

export const noteStart = (backOff: BackOff, nowMs: number): BackOff => ({
	startCount: nowMs - backOff.lastStartAtMs > wellMs + delayMs(backOff) ? 1 : backOff.startCount + 1,
	lastStartAtMs: nowMs,
});

/** In the past: it may be started now. */
export const nextStartAtMs = (backOff: BackOff): number =>
	backOff.startCount === 0 ? 0 : backOff.lastStartAtMs + delayMs(backOff);

/** It has died so often that its users should be told. */
export const isCrashLoop = ({startCount}: BackOff): boolean => startCount >= 3;

const delayMs = ({startCount}: BackOff): number =>
	Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(20, Math.max(0, startCount - 1)));
