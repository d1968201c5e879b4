/** Nanoseconds since the epoch, to the microsecond. */
export const wallClockNs = (): bigint =>
	BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
