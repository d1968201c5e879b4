import {AssertionError} from 'node:assert';
import {noMetrics, type MetricSink} from '../model/metric-sink.ts';
import {Semaphore} from '../model/semaphore.ts';
import {StoreError, isStoreError} from '../model/store-error.ts';
import type {StagedLayer} from '../upload/staged-layer.ts';
import type {StagingArea} from '../upload/staging-area.ts';
import type {UploadOutcome, Uploader} from '../upload/uploader.ts';
import type {FileTable} from './file-table.ts';
import type {LocalChanges} from './local-changes.ts';
import type {OpenFile} from './open-file.ts';

/** What an operator must hear of. */
export type UploadEvent =
	| {readonly event: 'conflict'; readonly path: string}
	| {
			readonly event: 'upload failed';
			readonly path: string;
			readonly error: Error;
			readonly isFinal: boolean /** Where the bytes are kept, when nobody was told of the failure. */;
			readonly keptAt?: string | undefined;
	  }
	| {readonly event: 'recovered'; readonly path: string; readonly bytes: number}
	| {readonly event: 'journal damaged'; readonly path: string}
	/** Two nodes that change one file in the same moment may not notice each other. */
	| {readonly event: 'the server cannot make a write conditional'};

type Running = {
	readonly promise: Promise<void>;
	/** Ends it at once. */
	readonly abort: AbortController;
	/** Ends it where it is known what S3 has. */
	readonly stop: AbortController;
};

/**
Brings sealed layers to S3: the layers of one file in their order, several files at once. What fails for a reason
that may pass is tried again in the background for as long as the process lives, and at the next start.
*/
export class Uploads {
	readonly #uploader: Uploader;
	readonly #staging: StagingArea;
	readonly #changes: LocalChanges;
	readonly #files: FileTable;
	readonly #onEvent: (event: UploadEvent) => void;
	readonly #retryDelayMs: number;
	readonly #slots = new Semaphore(uploadsAtOnceMax);
	readonly #running = new Map<OpenFile, Running>();
	readonly #retries = new Map<OpenFile, {readonly timer: NodeJS.Timeout; readonly delayMs: number}>();
	readonly #maybeStored = new WeakSet<StagedLayer>();
	readonly #waitingForCopies = new Set<OpenFile>();
	readonly #counts: ReturnType<typeof createCounts>;
	#isClosed = false;
	conflictCount = 0;
	failedCount = 0;
	lastError: {readonly atMs: number; readonly message: string} | undefined;

	constructor(options: {
		uploader: Uploader;
		staging: StagingArea;
		changes: LocalChanges;
		files: FileTable;
		onEvent: (event: UploadEvent) => void;
		retryDelayMs?: number | undefined;
		metrics?: MetricSink | undefined;
	}) {
		this.#uploader = options.uploader;
		this.#staging = options.staging;
		this.#changes = options.changes;
		this.#files = options.files;
		this.#onEvent = options.onEvent;
		this.#retryDelayMs = options.retryDelayMs ?? 1000;
		this.#counts = createCounts(options.metrics ?? noMetrics);
	}

	/** Files whose bytes are on their way or wait for it. */
	get pendingCount(): number {
		return this.#files.all().filter(file => file.oldestSealed !== undefined).length;
	}

	/** Uploads all that is sealed of a file; fails with the reason when that does not work now. */
	async settle(file: OpenFile): Promise<void> {
		do {
			await (this.#running.get(file) ?? this.#begin(file)).promise;
			// What was sealed while the last upload was being tidied up was not in it.
		} while (file.oldestSealed !== undefined && !file.isUnlinked);
	}

	/** When nothing is on its way any more. */
	async idle(): Promise<void> {
		await Promise.allSettled([...this.#running.values()].map(async ({promise}) => promise));
	}

	/** As `settle`, in the background: a failure is kept for the next fsync or open of the file. */
	start(file: OpenFile): void {
		this.settle(file).catch((error: unknown) => {
			file.unreportedError = error as Error;
		});
	}

	/** Stops what is on its way for a file; after that nothing of it becomes visible any more. Its layers stay. */
	async cancel(file: OpenFile): Promise<void> {
		this.#forgetRetry(file);
		const running = this.#running.get(file);
		if (running !== undefined) {
			running.stop.abort();
			await running.promise.catch(() => undefined); // Its failure is told to those who wait for the upload.
			this.#forgetRetry(file);
		}
	}

	/** A layer of an earlier run, which may have uploaded it just before it died. */
	noteRecovered(layer: StagedLayer): void {
		this.#maybeStored.add(layer);
	}

	/** `aborted` once uploads have ended; the message says what was not done. */
	assertOpen(what: string): void {
		if (this.#isClosed) {
			throw new StoreError('aborted', `${what}: the volume is being unmounted`);
		}
	}

	report(event: UploadEvent): void {
		this.#onEvent(event);
	}

	/** Ends retries; what was not uploaded stays in the journal. */
	async close(): Promise<void> {
		this.#isClosed = true;
		for (const file of [...this.#retries.keys()]) {
			this.#forgetRetry(file);
		}

		await Promise.allSettled(
			[...this.#running.values()].map(async ({promise, abort}) => {
				abort.abort();
				await promise;
			}),
		);
	}

	#begin(file: OpenFile): Running {
		this.assertOpen(`Uploading ${file.path} was not begun`);
		clearTimeout(this.#retries.get(file)?.timer);
		const [abort, stop] = [new AbortController(), new AbortController()];
		const promise = this.#run(file, abort.signal, stop.signal).finally(() => {
			this.#running.delete(file);
			this.#files.collect(file);
		});
		const running = {promise, abort, stop};
		this.#running.set(file, running);
		return running;
	}

	async #run(file: OpenFile, signal: AbortSignal, stopSignal: AbortSignal): Promise<void> {
		for (let layer = file.oldestSealed; layer !== undefined && !file.isUnlinked; layer = file.oldestSealed) {
			const path = file.path;
			let outcome: UploadOutcome;
			try {
				await this.#settleCopiesOf(file);
				outcome = await this.#upload(file, layer, signal, stopSignal);
			} catch (error) {
				// Also what failed may have been stored, if only the answer was lost: the next try looks.
				this.#maybeStored.add(layer);
				await this.#fail(file, error as Error);
				throw error;
			}

			this.#take(file, path, outcome);
			// First what lies on the layer says what it lies on now, so that a crash here loses neither.
			await file.recordSealed();
			await this.#staging.discard(layer);
		}

		this.#forgetRetry(file);
		file.unreportedError = undefined;
		this.lastError = this.#retries.size === 0 ? undefined : this.lastError;
	}

	/**
	Files that were copied on the server from the version that is to be replaced go first, where the bucket keeps no
	old one.
	*/
	async #settleCopiesOf(file: OpenFile): Promise<void> {
		if (file.base === undefined || file.base.versionId !== undefined) {
			return;
		}

		for (const other of this.#files.all()) {
			// Two that were copied from each other cannot both go first.
			if (
				other === file ||
				this.#waitingForCopies.has(other) ||
				other.oldestSealed === undefined ||
				other.isUnlinked ||
				!other.refersTo(key => key === file.path)
			) {
				continue;
			}

			this.#waitingForCopies.add(file);
			try {
				await this.settle(other);
			} catch (error) {
				if (isStoreError(error) && error.isTransient) {
					throw error;
				}
			} finally {
				this.#waitingForCopies.delete(file);
			}
		}
	}

	async #upload(
		file: OpenFile,
		layer: StagedLayer,
		signal: AbortSignal,
		stopSignal: AbortSignal,
	): Promise<UploadOutcome> {
		return this.#slots.run(async () =>
			this.#uploader.upload({
				key: file.path,
				base: file.base,
				layer,
				signal,
				stopSignal,
				metadata: file.sealedMetadata(layer),
				contentType: file.base?.contentType,
				mayBeStored: this.#maybeStored.has(layer),
			}),
		);
	}

	#take(file: OpenFile, path: string, outcome: UploadOutcome): void {
		this.#counts.stored.value++;
		const hasConflict = file.uploaded(outcome.head, outcome.movedBytes) || outcome.hasConflict;
		this.#changes.uploaded(path, outcome.head, {isAsWritten: outcome.movedBytes === 0});
		if (hasConflict) {
			this.conflictCount++;
			this.#onEvent({event: 'conflict', path});
		}
	}

	async #fail(file: OpenFile, error: Error): Promise<void> {
		if (isStoreError(error, 'aborted')) {
			return;
		}

		this.failedCount++;
		this.lastError = {atMs: Date.now(), message: `${file.path}: ${error.message}`};
		const isFinal =
			isBug(error) || (isStoreError(error) && !error.isTransient && !isStoreError(error, ...curableCodes));
		(isFinal ? this.#counts.refused : this.#counts.delayed).value++;
		let keptAt: string | undefined;
		await file.recordSealed().catch((cause: unknown) => {
			this.#onEvent({
				event: 'upload failed',
				path: file.path,
				error: new Error(`The journal could not be written: ${(cause as Error).message}`, {cause}),
				isFinal: false,
			});
		});
		if (isFinal && file.handles.size === 0) {
			// Nobody has the file open who could be told. Unless a close was: the bytes are kept for a person to look at.
			for (const layer of file.takeLayers()) {
				if (file.wasToldOfFailure) {
					await this.#staging.discard(layer);
				} else {
					keptAt = await this.#staging.keepFailed(layer);
				}
			}

			this.#changes.mayHaveChanged(file.path);
		} else if (!isFinal) {
			this.#retryLater(file);
		}

		this.#onEvent({event: 'upload failed', path: file.path, error, isFinal, keptAt});
	}

	#retryLater(file: OpenFile): void {
		if (this.#isClosed) {
			return;
		}

		const delayMs = Math.min((this.#retries.get(file)?.delayMs ?? this.#retryDelayMs / 2) * 2, retryDelayMsMax);
		const timer = setTimeout(() => {
			this.start(file);
		}, delayMs);
		timer.unref();
		this.#retries.set(file, {timer, delayMs});
	}

	#forgetRetry(file: OpenFile): void {
		clearTimeout(this.#retries.get(file)?.timer);
		this.#retries.delete(file);
	}
}

const createCounts = (metrics: MetricSink) => ({
	stored: metrics.counter('pnx_volume_uploads_total', {result: 'stored'}),
	delayed: metrics.counter('pnx_volume_uploads_total', {result: 'delayed'}),
	refused: metrics.counter('pnx_volume_uploads_total', {result: 'refused'}),
});

/**
What met a bug of ours never reaches S3: an error for its writer, and kept on disk, is better than wrong bytes in
the bucket.
*/
const isBug = (error: Error): boolean =>
	error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError;

const uploadsAtOnceMax = 16;
const retryDelayMsMax = 60_000;
/**
Failures that an operator can cure while we try on: credentials that are renewed, clocks, a disk that is made free.
*/
const curableCodes = ['badCredentials', 'clockSkew', 'noSpace', 'corrupt'] as const;
