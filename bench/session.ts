import fs from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {findFreePort} from './free-port.ts';
import {stretchesOf, type ResultPlace, type Results, type Sample, type Stretch} from './results.ts';
import type {Bucket} from './server/bucket.ts';
import type {Endpoint} from './server/s3-server.ts';
import type {SpawnedProxy} from './server/spawn-delay-proxy.ts';
import {MountedProcess} from './subjects/mounted-process.ts';
import type {Place, Subject} from './subjects/subject.ts';
import {BoundExceededError, runTimed} from './timed-command.ts';
import type {Sizes} from './sizes.ts';
import type {LocalFiles} from './workloads/local-files.ts';
import type {Metric, Stage, Unit, Workload} from './workloads/workload.ts';

export type SessionOptions = {
	readonly subject: Subject;
	readonly bucket: Bucket;
	readonly endpoint: Endpoint;
	/** Before the server, where there is one. */
	readonly proxy: SpawnedProxy | undefined;
	readonly sizes: Sizes;
	readonly local: LocalFiles;
	/** For mounts and caches; what this session makes there, it removes. */
	readonly temporary: string;
	/** No script takes longer. */
	readonly boundMs: number;
	/** Ends what runs, so that `close` can follow. */
	readonly signal: AbortSignal;
};

/** What a run of a workload adds to. */
export type RunRecord = {
	readonly workload: Workload;
	readonly latencyMs: number | undefined;
	readonly results: Results;
};

type Amount = {amount: number} | {read: (stdout: string) => number};

/** Before it the kernel has told of the last close(). */
const quietMsMin = 250;
const quietPollMs = 10;

let sessionCount = 0;

/** One subject, mounted for one run of one workload. `close` leaves nothing, whatever happened. */
export class Session implements Stage {
	readonly sizes: Sizes;
	readonly local: LocalFiles;
	readonly top: string;
	readonly #options: SessionOptions;
	readonly #name: string;
	readonly #work: string;
	#mounted: MountedProcess | undefined;
	#record: RunRecord | undefined;
	/** Metrics with their stretches. */
	readonly #measured = new Set<string>();

	private constructor(options: SessionOptions) {
		this.#options = options;
		this.#name = `run-${process.pid}-${++sessionCount}`;
		this.sizes = options.sizes;
		this.local = options.local;
		this.top = path.join(options.temporary, `mnt-${sessionCount}`);
		this.#work = path.join(options.temporary, `work-${sessionCount}`);
	}

	static async open(options: SessionOptions): Promise<Session> {
		const session = new Session(options);
		try {
			await session.#mount();
		} catch (error) {
			await session.close();
			throw error;
		}

		return session;
	}

	get directory(): string {
		return path.join(this.top, this.#name);
	}

	/** Runs a workload once, and says why it ended before its end; its metrics that are missing then are noted. */
	async run(record: RunRecord): Promise<string | undefined> {
		this.#record = record;
		try {
			if (record.workload.role === 'writes') {
				await this.prepare(`mkdir ${this.directory}`);
			}

			await record.workload.run(this);
			return undefined;
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			this.#noteFailure(`${reason}${await this.#outputNote()}`);
			return reason;
		}
	}

	// Workloads take these methods apart, so they are bound.

	readonly makeCold = async (): Promise<void> => {
		await this.#unmount();
		await fs.rm(this.#work, {recursive: true, force: true});
		await this.#mount();
	};

	readonly restart = async (): Promise<void> => {
		await this.#unmount();
		await this.#mount();
	};

	readonly fill = async (name: string, count: number): Promise<string> => {
		await this.#options.bucket.fill(
			Array.from({length: count}, (_, index) => `${this.#name}/${name}/${fileName(index)}`),
		);
		await this.makeCold(); // What it knew of the directory is of before.
		return path.join(this.directory, name);
	};

	readonly prepare = async (script: string): Promise<void> => {
		const {boundMs, temporary: home, signal} = this.#options;
		await runTimed(script, {boundMs, home, signal});
	};

	readonly measure = async (name: string, script: string, how?: Amount): Promise<void> => {
		const record = this.#record!; // Workloads run by `run`.
		const metric = record.workload.metrics(this.sizes).find(each => each.name === name);
		if (metric === undefined) {
			throw new Error(`The workload ${record.workload.name} has no metric ${name}`);
		}

		const {boundMs, temporary, signal} = this.#options;
		const mounted = this.#mounted!; // It is mounted from `open` to `close`.
		await mounted.resetPeak();
		await this.#options.proxy?.reset();
		const before = await mounted.usage();
		const add = async (stretch: Stretch, value: number): Promise<void> => {
			const [after, counted] = await Promise.all([mounted.usage(), this.#options.proxy?.read()]);
			const sample: Sample = {...after, cpuSeconds: after.cpuSeconds - before.cpuSeconds, value, ...counted};
			record.results.add(this.#placeOf(metric, stretch), sample);
			this.#measured.add(`${metric.name} ${stretch}`);
		};

		const startedMs = performance.now();
		try {
			const {seconds, stdout} = await runTimed(script, {boundMs, home: temporary, signal});
			await add('returned', toValue(metric.unit, {seconds, stdout, how}));
			if (metric.isWrite === true) {
				const settled = seconds + (await this.#untilUploaded(Math.max(1000, boundMs - seconds * 1000)));
				await add('uploaded', toValue(metric.unit, {seconds: settled, stdout, how}));
			}
		} catch (error) {
			const seconds = (performance.now() - startedMs) / 1000;
			const isLate = error instanceof BoundExceededError && !(how !== undefined && 'read' in how);
			this.#noteFailureOf(
				metric,
				(error as Error).message,
				isLate ? toValue(metric.unit, {seconds, stdout: '', how}) : undefined,
			);
			throw error;
		}
	};

	/** Takes away the mount, its process, its directories and what it put into the bucket. Again does nothing more. */
	async close(): Promise<void> {
		await this.#unmount();
		await fs.rm(this.#work, {recursive: true, force: true});
		await this.#options.bucket.empty(`${this.#name}/`);
	}

	/** Resolves when S3 has everything. */
	async settle(): Promise<void> {
		await this.#untilUploaded(this.#options.boundMs);
	}

	/**
	Waits until the subject says that S3 has everything and no request that changes something was sent or waited for its
	answer for a moment: what it says may be too early, as the kernel tells of a close() after the program. Gives the
	seconds without that moment.
	*/
	async #untilUploaded(timeoutMs: number): Promise<number> {
		const startedMs = performance.now();
		let quietMs = startedMs;
		let {writes} = await this.#countWrites();
		for (;;) {
			const polledMs = performance.now();
			await this.#settle(timeoutMs);
			const counted = await this.#countWrites();
			const nowMs = performance.now();
			// Without a proxy, that the subject let us wait is all that shows.
			const isBusy = counted.isKnown ? counted.writes !== writes || counted.openWrites > 0 : nowMs - polledMs > 50;
			if (isBusy) {
				writes = counted.writes;
				quietMs = nowMs;
			} else if (nowMs - quietMs > quietMsMin) {
				return (quietMs - startedMs) / 1000;
			}

			if (nowMs - startedMs > timeoutMs) {
				throw new BoundExceededError(timeoutMs / 1000);
			}

			await delay(quietPollMs);
		}
	}

	async #countWrites(): Promise<{isKnown: boolean; writes: number; openWrites: number}> {
		const counted = await this.#options.proxy?.read();
		return {isKnown: counted !== undefined, writes: counted?.writes ?? 0, openWrites: counted?.openWrites ?? 0};
	}

	/** Until the subject says so, or the signal ends it. */
	async #settle(timeoutMs: number): Promise<void> {
		const {subject, signal} = this.#options;
		const aborted = Promise.withResolvers<never>();
		const onAbort = (): void => {
			aborted.reject(new Error('it was interrupted'));
		};

		signal.addEventListener('abort', onAbort, {once: true});
		try {
			await Promise.race([subject.settle(this.#mounted!.place, timeoutMs), aborted.promise]); // It is mounted.
		} finally {
			signal.removeEventListener('abort', onAbort);
		}
	}

	async #mount(): Promise<void> {
		const {subject, bucket, endpoint} = this.#options;
		const place: Place = {
			endpoint,
			bucket: bucket.name,
			directory: this.top,
			work: this.#work,
			port: await findFreePort(),
		};
		this.#mounted = await MountedProcess.start(subject, place);
	}

	async #unmount(): Promise<void> {
		await this.#mounted?.stop();
		this.#mounted = undefined;
	}

	async #outputNote(): Promise<string> {
		const output = await this.#mounted?.lastOutput();
		return output === undefined || output === '' ? '' : `; its output ends with: ${output}`;
	}

	#placeOf(metric: Metric, stretch: Stretch): ResultPlace {
		const {latencyMs, workload} = this.#record!; // It runs.
		return {latencyMs, workload: workload.name, metric, stretch, subject: this.#options.subject.name};
	}

	#noteFailure(reason: string): void {
		for (const metric of this.#record!.workload.metrics(this.sizes)) {
			this.#noteFailureOf(metric, reason, undefined);
		}
	}

	/** Where samples of this run are missing. */
	#noteFailureOf(metric: Metric, reason: string, bound: number | undefined): void {
		for (const stretch of stretchesOf(metric)) {
			if (!this.#measured.has(`${metric.name} ${stretch}`)) {
				this.#record!.results.fail(this.#placeOf(metric, stretch), reason, bound); // It runs.
			}
		}
	}
}

/** As `fill` names its files. */
export const fileName = (index: number): string => `f${String(index).padStart(5, '0')}`;

type Measured = {readonly seconds: number; readonly stdout: string; readonly how: Amount | undefined};

const toValue = (unit: Unit, {seconds, stdout, how}: Measured): number => {
	if (how !== undefined) {
		return 'read' in how ? how.read(stdout) : how.amount / seconds;
	}

	return unit === 'ms' ? seconds * 1000 : seconds;
};
