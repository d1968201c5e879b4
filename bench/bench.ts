import fs from 'node:fs/promises';
import path from 'node:path';
import {execa, type ExecaError} from 'execa';
import type {BenchOptions} from './bench-options.ts';
import type {CleanUp} from './clean-up.ts';
import {fillShared, writeFixture} from './fixtures.ts';
import {subjectsOf, type Plan} from './plan.ts';
import {Progress} from './progress.ts';
import {formatLatency} from './reporting/report-markdown.ts';
import type {Report} from './reporting/report.ts';
import {median} from './reporting/statistics.ts';
import {Results, stretchesOf} from './results.ts';
import type {BareClientRequest} from './server/bare-client.ts';
import {Bucket} from './server/bucket.ts';
import type {Endpoint, S3Server} from './server/s3-server.ts';
import {spawnDelayProxy, type SpawnedProxy} from './server/spawn-delay-proxy.ts';
import {Session, type SessionOptions} from './session.ts';
import type {Sizes} from './sizes.ts';
import type {Subject} from './subjects/subject.ts';
import {LocalFiles} from './workloads/local-files.ts';
import type {Workload} from './workloads/workload.ts';

export type BenchParts = {
	readonly options: Pick<BenchOptions, 'latenciesMs' | 'rounds' | 'sizes' | 'stepMs' | 'totalMs'>;
	readonly plan: Plan;
	readonly server: S3Server;
	/** An empty directory. */
	readonly temporary: string;
	readonly cleanUp: CleanUp;
	/** Ends the run as soon as nothing is left of the current step. */
	readonly signal: AbortSignal;
};

/** After a run that took longer, there is no further round of it: it is long beside what disturbs it. */
const repeatMsMax = 60_000;
const bareClient = {partBytes: 8 * 2 ** 20, connections: 16};

/** Between the subjects and the server. */
type Link = {
	readonly latencyMs: number | undefined;
	readonly endpoint: Endpoint;
	readonly proxy: SpawnedProxy | undefined;
};

/** Runs all workloads on all subjects in turn. What it makes is taken away by `cleanUp` at the latest. */
export class Bench {
	readonly results = new Results();
	readonly ceilings: Array<Report['ceilings'][number]> = [];
	readonly notes: string[] = [];
	readonly #parts: BenchParts;
	readonly #local: LocalFiles;
	readonly #progress: Progress;
	readonly #startedMs = performance.now();
	readonly #buckets = new Map<string, Promise<Bucket>>();
	/** Of subjects, and of the shared bucket; those that could not be made, too. */
	readonly #fixtures = new Map<string, Promise<void>>();

	/** The subjects that did not get to a workload before the time was over. */
	readonly #leftOut = new Map<string, string[]>();

	constructor(parts: BenchParts) {
		this.#parts = parts;
		const local = path.join(parts.temporary, 'local');
		this.#local = new LocalFiles(local);
		const runs = parts.plan.workloads.flatMap(workload => subjectsOf(workload, parts.plan));
		this.#progress = new Progress(runs.length * parts.options.rounds * parts.options.latenciesMs.length);
	}

	/** Nothing more is to begin. */
	get isTimeOver(): boolean {
		return performance.now() - this.#startedMs > this.#parts.options.totalMs;
	}

	async run(): Promise<void> {
		await fs.mkdir(path.join(this.#parts.temporary, 'local'), {recursive: true});
		for (const latencyMs of this.#parts.options.latenciesMs) {
			await this.#runAt(latencyMs);
		}

		if (this.#leftOut.size > 0) {
			const names = [...this.#leftOut].map(
				([workload, subjects]) => `${workload} (${[...new Set(subjects)].join(', ')})`,
			);
			this.notes.push(`Left out when the time was over: ${names.join('; ')}.`);
		}
	}

	async #runAt(latencyMs: number | undefined): Promise<void> {
		const {plan} = this.#parts;
		const link = await this.#openLink(latencyMs);
		try {
			if (plan.workloads.some(workload => isStream(workload, this.#parts.options.sizes))) {
				await this.#measureCeilings(link);
			}

			for (const workload of plan.workloads) {
				await this.#runWorkload(workload, link);
			}
		} finally {
			await link.proxy?.stop();
		}
	}

	async #openLink(latencyMs: number | undefined): Promise<Link> {
		const {endpoint} = this.#parts.server;
		if (latencyMs === undefined) {
			return {latencyMs, endpoint, proxy: undefined};
		}

		const {hostname, port} = new URL(endpoint.url);
		const proxy = await spawnDelayProxy({host: hostname, port: Number(port || 80), latencyMs});
		return {latencyMs, endpoint: {...endpoint, url: proxy.url}, proxy};
	}

	/** Round by round, and in each round subject by subject: what disturbs the machine meets all of them. */
	async #runWorkload(workload: Workload, link: Link): Promise<void> {
		const {plan, options} = this.#parts;
		const over = new Set<Subject>();
		for (let round = 1; round <= options.rounds; round++) {
			for (const subject of subjectsOf(workload, plan)) {
				if (this.isTimeOver) {
					this.#leftOut.set(workload.name, [...(this.#leftOut.get(workload.name) ?? []), subject.name]);
					continue;
				}

				this.#progress.step(`${formatLatency(link.latencyMs)}, round ${round}, ${workload.name}, ${subject.name}`);
				this.#parts.signal.throwIfAborted();
				const startedMs = performance.now();
				if (!over.has(subject)) {
					const isDone = await this.#runOnce(workload, subject, link);
					if (!isDone || performance.now() - startedMs > repeatMsMax) {
						over.add(subject);
					}
				}
			}
		}
	}

	/** Never rejects: what fails is in the results. */
	async #runOnce(workload: Workload, subject: Subject, link: Link): Promise<boolean> {
		const {server} = this.#parts;
		const {latencyMs} = link;
		const record = {workload, latencyMs, results: this.results};
		let session: Session | undefined;
		let reason: string | undefined;
		try {
			const bucket = await this.#bucketFor(workload, subject);
			session = await Session.open(this.#sessionOptions(subject, bucket, link));
			reason = await session.run(record);
		} catch (error) {
			reason = error instanceof Error ? error.message : String(error);
			for (const metric of workload.metrics(this.#parts.options.sizes)) {
				for (const stretch of stretchesOf(metric)) {
					this.results.fail({latencyMs, workload: workload.name, metric, stretch, subject: subject.name}, reason);
				}
			}
		} finally {
			await session?.close();
			await server.collectGarbage();
		}

		const rows = this.results.rows().filter(row => row.workload === workload.name && row.latencyMs === latencyMs);
		this.#progress.figures(rows, subject.name);
		return reason === undefined;
	}

	/** With what the workload reads in it. */
	async #bucketFor(workload: Workload, subject: Subject): Promise<Bucket> {
		const {sizes} = this.#parts.options;
		const {fixture, sharedFixture} = workload;
		if (sharedFixture !== undefined) {
			const shared = await this.#bucket('shared');
			await this.#once(`shared ${sharedFixture}`, async () => fillShared(sharedFixture, shared, sizes));
			return shared;
		}

		const bucket = await this.#bucket(subject.name.replaceAll(' ', '-'));
		if (fixture !== undefined) {
			const direct = {latencyMs: undefined, endpoint: this.#parts.server.endpoint, proxy: undefined};
			await this.#once(`${subject.name} ${fixture}`, async () =>
				writeFixture(fixture, this.#sessionOptions(subject, bucket, direct)),
			);
		}

		return bucket;
	}

	#sessionOptions(subject: Subject, bucket: Bucket, {endpoint, proxy}: Link): SessionOptions {
		const {options, temporary, signal} = this.#parts;
		const boundMs = options.stepMs;
		return {subject, bucket, endpoint, proxy, sizes: options.sizes, local: this.#local, temporary, boundMs, signal};
	}

	async #bucket(name: string): Promise<Bucket> {
		const made = this.#buckets.get(name) ?? this.#createBucket(name);
		this.#buckets.set(name, made);
		return made;
	}

	async #createBucket(name: string): Promise<Bucket> {
		const bucket = await Bucket.create(`pnx-bench-${process.pid}-${name}`, this.#parts.server.endpoint);
		this.#parts.cleanUp.add(async () => bucket.remove());
		return bucket;
	}

	async #once(name: string, make: () => Promise<void>): Promise<void> {
		const made = this.#fixtures.get(name) ?? make();
		this.#fixtures.set(name, made);
		await made;
	}

	/** A failure is a note: everything else goes on. */
	async #measureCeilings({latencyMs, endpoint}: Link): Promise<void> {
		const bucket = await this.#bucket('shared');
		for (const stream of ['write', 'read'] as const) {
			try {
				const megabytesPerSecond = await this.#measureBareClient(stream, bucket, endpoint);
				this.ceilings.push({latencyMs, stream, megabytesPerSecond});
				this.#progress.note(
					`A bare client ${stream}s ${Math.round(megabytesPerSecond)} MB/s at ${formatLatency(latencyMs)}`,
				);
			} catch (error) {
				const why = (error as ExecaError).shortMessage;
				this.notes.push(`Without the ${stream}s of a bare client at ${formatLatency(latencyMs)}: ${why}`);
			}
		}

		await bucket.empty('bare');
	}

	/** MB/s, the median of all rounds. */
	async #measureBareClient(what: 'read' | 'write', bucket: Bucket, endpoint: Endpoint): Promise<number> {
		const {sizes, rounds, stepMs} = this.#parts.options;
		const sizeBytes = sizes.largeMebibytes * 2 ** 20;
		const request: BareClientRequest = {...bareClient, endpoint, bucket: bucket.name, what, key: 'bare', sizeBytes};
		const rates: number[] = [];
		for (let round = 0; round < rounds; round++) {
			const {stdout} = await execa(process.execPath, [path.join(import.meta.dirname, 'server/bare-client.ts')], {
				input: JSON.stringify(request), // Not an argument, which everybody sees.
				timeout: stepMs,
				cancelSignal: this.#parts.signal,
			});
			rates.push(sizeBytes / 1e6 / Number(stdout));
		}

		return median(rates)!; // There is one round at least.
	}
}

const isStream = (workload: Workload, sizes: Sizes): boolean =>
	workload.metrics(sizes).some(({stream}) => stream !== undefined);
