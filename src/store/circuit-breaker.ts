import {StoreError, isStoreError} from '../model/store-error.ts';
import {throwIfAborted} from './abort.ts';

/** For so long after a probe without an answer, calls fail without another: those that queued are told in one go. */
const probeHoldsMs = 200;

const pauseBaseMs = 250;
const pauseMaxMs = 15_000;

/**
Knows whether S3 is away: since a call used up its whole time although no request at all was answered, until any
request is answered again. While it is away, a call makes one short probe, which all calls of that moment share, and
fails when that gets no answer either; another probe goes on in the background. Without it, calls that queue, as the
kernel's do for one directory, would each wait their whole time, one after the other.
*/
export class CircuitBreaker {
	readonly #probe: () => Promise<void>;
	#answerCount = 0;
	#away: {readonly since: Date; readonly failure: StoreError} | undefined;
	#probing: Promise<void> | undefined;
	#probedAtMs = 0;
	#timer: NodeJS.Timeout | undefined;

	/** `probe` sends one short request, and never rejects; `noteAnswer()` says whether it was answered. */
	constructor({probe}: {probe: () => Promise<void>}) {
		this.#probe = probe;
	}

	noteAnswer(): void {
		this.#answerCount++;
		this.#away = undefined;
		this.close();
	}

	/** Makes a call, unless S3 is away. */
	async guard<Result>(
		{action, signal}: {readonly action: string; readonly signal?: AbortSignal | undefined},
		call: () => Promise<Result>,
	): Promise<Result> {
		if (this.#away !== undefined) {
			await this.#look();
			throwIfAborted(action, signal);
			if (this.#away !== undefined) {
				throw toAwayError(action, this.#away);
			}
		}

		const answerCount = this.#answerCount;
		const since = new Date();
		try {
			return await call();
		} catch (error) {
			if (isStoreError(error, 'timeout', 'unavailable') && answerCount === this.#answerCount) {
				this.#open({since, failure: error});
			}

			throw error;
		}
	}

	/** Ends the probe in the background. */
	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	#open(away: {since: Date; failure: StoreError}): void {
		if (this.#away === undefined) {
			this.#away = away;
			this.#probedAtMs = performance.now();
			this.#lookLater(pauseBaseMs);
		}
	}

	#lookLater(pauseMs: number): void {
		this.close();
		this.#timer = setTimeout(() => {
			void this.#look().then(() => {
				if (this.#away !== undefined && this.#timer !== undefined) {
					this.#lookLater(Math.min(pauseMs * 2, pauseMaxMs));
				}
			});
		}, pauseMs);
		this.#timer.unref();
	}

	async #look(): Promise<void> {
		if (performance.now() - this.#probedAtMs < probeHoldsMs) {
			return;
		}

		this.#probing ??= this.#probe().finally(() => {
			this.#probing = undefined;
			this.#probedAtMs = performance.now();
		});
		await this.#probing;
	}
}

const toAwayError = (action: string, {since, failure}: {since: Date; failure: StoreError}): StoreError =>
	new StoreError(failure.code, `Cannot ${action}: S3 has been away since ${since.toISOString()}: ${failure.message}`, {
		cause: failure,
	});
