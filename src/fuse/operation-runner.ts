import type {ErrnoName} from '../model/fs-error.ts';
import {errnoNameOf, isOrdinaryAnswer, toFuseResult} from './errno.ts';
import type {FuseLog} from './fuse-log.ts';
import {OperationMetrics, type OperationResult} from './operation-metrics.ts';

export type Operation<T> = {
	readonly name: string;
	/** What it is about, for the log: a path or `#handle`. */
	readonly subject: string;
	readonly act: () => Promise<T>;
	readonly succeed: (value: T) => void;
	/** Gets the negative errno. */
	readonly fail: (result: number) => void;
	/**
	Present on operations that change nothing: they are answered with EIO when they take too long, and what they
	bring afterwards is given to this. The others have only the deadlines of the file system: an error for
	something that happens after all would be a lie.
	*/
	readonly abandon?: ((value: T) => void) | undefined;
	/**
	Gets what an operation brings that was answered early, when it has no `abandon`: present on operations that are let
	run out when their caller ends.
	*/
	readonly discard?: ((value: T) => void) | undefined;
};

/** Answers an operation that still runs with a negative errno; nothing when it was answered already. */
export type AnswerEarly = (result: number) => void;

type RunningOperation = {
	readonly name: string;
	readonly subject: string;
	readonly giveUp: ((result: number) => void) | undefined;
	readonly startedMs: number;
	isAnswered: boolean;
	isReported: boolean;
};

const watchIntervalMs = 1000;

/**
Runs each operation of the kernel: answers it exactly once, times it, logs it, and watches over what takes too long.
*/
export class OperationRunner {
	readonly #log: FuseLog;
	readonly #isEachLogged: boolean;
	readonly #durationMsMax: number;
	readonly #metrics: OperationMetrics;
	readonly #running = new Set<RunningOperation>();
	readonly #watch: NodeJS.Timeout;

	constructor(options: {
		log: FuseLog;
		isEachLogged: boolean;
		durationMsMax: number;
		metrics?: OperationMetrics | undefined;
	}) {
		this.#log = options.log;
		this.#isEachLogged = options.isEachLogged;
		this.#durationMsMax = options.durationMsMax;
		this.#metrics = options.metrics ?? new OperationMetrics();
		// Also what keeps the process alive: the native threads of a mount do not.
		this.#watch = setInterval(() => this.#reportSlow(), watchIntervalMs);
	}

	run<T>(operation: Operation<T>): AnswerEarly {
		const running: RunningOperation = {
			name: operation.name,
			subject: operation.subject,
			giveUp: operation.abandon === undefined ? undefined : operation.fail,
			startedMs: performance.now(),
			isAnswered: false,
			isReported: false,
		};
		this.#running.add(running);
		void this.#settle(operation, running);
		return result => {
			if (!running.isAnswered) {
				this.#count(running, 'refused');
				operation.fail(result);
			}
		};
	}

	/** What waits for its answer now. */
	status(): {readonly runningCount: number; readonly oldestRunningMs: number} {
		let startedMs = performance.now();
		const now = startedMs;
		for (const running of this.#running) {
			startedMs = Math.min(startedMs, running.startedMs);
		}

		return {runningCount: this.#running.size, oldestRunningMs: now - startedMs};
	}

	close(): void {
		clearInterval(this.#watch);
	}

	/** Never rejects: every failure becomes the answer. */
	async #settle<T>(operation: Operation<T>, running: RunningOperation): Promise<void> {
		let errno: ErrnoName | undefined;
		try {
			const value = await operation.act();
			if (running.isAnswered) {
				(operation.abandon ?? operation.discard)?.(value);
			} else {
				this.#count(running, 'ok');
				operation.succeed(value);
			}
		} catch (error) {
			errno = errnoNameOf(error) ?? 'EIO';
			this.#logFailure(error, running);
			if (!running.isAnswered) {
				this.#count(running, isOrdinaryAnswer(errno) ? 'refused' : 'failed');
				operation.fail(toFuseResult(errno));
			}
		} finally {
			this.#running.delete(running);
			if (this.#isEachLogged || this.#log.isLevelEnabled?.('trace') === true) {
				this.#log.debug(describe(running, {result: errno ?? 'ok'}), 'operation');
			}
		}
	}

	/** To be called just before the answer, of which there is exactly one. */
	#count(running: RunningOperation, result: OperationResult): void {
		running.isAnswered = true;
		this.#metrics.note(running.name, result, performance.now() - running.startedMs);
	}

	#logFailure(error: unknown, running: RunningOperation): void {
		const errno = errnoNameOf(error);
		if (errno === undefined) {
			this.#log.error(describe(running, {err: error}), 'operation met a bug');
		} else if (isOrdinaryAnswer(errno)) {
			this.#log.trace(describe(running, {result: errno}), 'operation refused');
		} else {
			this.#log.warn(describe(running, {result: errno, err: error}), 'operation failed');
		}
	}

	#reportSlow(): void {
		for (const running of this.#running) {
			if (running.isReported || performance.now() - running.startedMs < this.#durationMsMax) {
				continue;
			}

			running.isReported = true;
			const isGivenUp = running.giveUp !== undefined && !running.isAnswered;
			this.#log.warn(describe(running, {isGivenUp}), 'operation takes too long');
			if (isGivenUp) {
				this.#count(running, 'failed');
				running.giveUp?.(toFuseResult('EIO'));
			}
		}
	}
}

const describe = (
	{name, subject, startedMs}: RunningOperation,
	fields: Record<string, unknown>,
): Record<string, unknown> => ({
	op: name,
	subject,
	durationMs: Math.round((performance.now() - startedMs) * 100) / 100,
	...fields,
});
