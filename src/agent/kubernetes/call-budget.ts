import {setTimeout as delay} from 'node:timers/promises';

type CallBudgetOptions = {
	/** How many calls may follow each other without a pause. */
	readonly burstCount: number;
	/** After the burst: at most one call in this time. */
	readonly intervalMs: number;
};

/** Limits how often the API server is called: a burst, then a steady rate (a token bucket). */
export class CallBudget {
	readonly #options: CallBudgetOptions;
	#tokenCount: number;
	#countedAtMs = performance.now();

	constructor(options: CallBudgetOptions) {
		this.#options = options;
		this.#tokenCount = options.burstCount;
	}

	/** Resolves when one more call may be made. */
	async take(signal: AbortSignal): Promise<void> {
		const {burstCount, intervalMs} = this.#options;
		for (;;) {
			const nowMs = performance.now();
			this.#tokenCount = Math.min(burstCount, this.#tokenCount + (nowMs - this.#countedAtMs) / intervalMs);
			this.#countedAtMs = nowMs;
			if (this.#tokenCount >= 1) {
				this.#tokenCount--;
				return;
			}

			await delay(intervalMs * (1 - this.#tokenCount), undefined, {signal});
		}
	}
}
