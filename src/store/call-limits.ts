/** What of a call decides how long it may take. */
export type LimitedCall = {
	/**
	Server-side copies and completions of large objects: S3 answers 200 before it knows how they end, and they may take
	minutes.
	*/
	readonly isLongRunning?: boolean;
	/** How many bytes S3 copies for a long-running call. Default: not known, which allows the most time. */
	readonly workBytes?: number | undefined;
	/** How long this call keeps trying, when that is less than usual. */
	readonly timeoutMs?: number | undefined;
};

const silenceMsMax = 20_000;

/** A long-running call may take this many times as long as another one. */
const longRunningFactor = 4;

/** What the slowest S3 server copies in a millisecond. */
const copiedBytesPerMsMin = 32 * 1024;

/** What the slowest line takes in a millisecond: a slow line is not a dead one. */
const sentBytesPerMsMin = 256;

/**
How long calls to S3 may take. A copy has more time for its bytes: a small one that gets no answer is as lost as any
other request.
*/
export class CallLimits {
	readonly #timeoutMs: number;

	/** `timeoutMs`: how long an ordinary call keeps trying. */
	constructor(timeoutMs: number) {
		this.#timeoutMs = timeoutMs;
	}

	/** How long one call may keep trying. */
	deadlineMs(call: LimitedCall, bodyBytes: number): number {
		const limitMs = Math.min(this.#timeoutMs + this.#workMs(call), call.timeoutMs ?? Infinity);
		return limitMs + bodyBytes / sentBytesPerMsMin;
	}

	/** How long there may be no byte from the server. */
	silenceMs(call: LimitedCall = {}): number {
		return Math.min(silenceMsMax, this.#timeoutMs / 2) + this.#workMs(call);
	}

	#workMs({isLongRunning = false, workBytes = Infinity}: LimitedCall): number {
		return isLongRunning ? Math.min(workBytes / copiedBytesPerMsMin, this.#timeoutMs * (longRunningFactor - 1)) : 0;
	}
}
