import {messageOf} from '../model/error-text.ts';
import {noMetrics, type MetricSink} from '../model/metric-sink.ts';
import {Semaphore} from '../model/semaphore.ts';
import {StoreError, isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {isFinal} from './is-final.ts';
import type {LayerStack} from './layer-stack.ts';
import type {SealedLayer} from './sealed-layer.ts';
import type {UploadEvent} from './upload-event.ts';
import type {UploadOutcome, Uploader} from './uploader.ts';

/** A file, as far as the queue knows it. */
export type UploadItem = {
	/** Its name for messages. */
	readonly path: string;
	readonly layers: LayerStack;
	/** Whether anybody has it open who can be told of a failure. */
	readonly isOpen: boolean;
	/** Whether a close or fsync reported the failure of the changes that are still here. */
	readonly wasToldOfFailure: boolean;
	/** The failure of an upload that nobody was told of yet. */
	unreportedError: Error | undefined;
};

/** What becomes of an item, for those who keep tables of what S3 has. */
export type UploadStep =
	/** The object of the path is this one; what was appended here stands so many bytes further on. */
	| {
			readonly step: 'stored';
			readonly path: string;
			readonly head: ObjectHead;
			readonly movedBytes: number;
			/** Somebody else has made another version since. */
			readonly isSuperseded: boolean;
	  }
	/** Its changes are gone: it is what S3 has. */
	| {readonly step: 'dropped'}
	/** Nothing of it is on its way any more. */
	| {readonly step: 'ended'};

type Running = {
	readonly promise: Promise<void>;
	/** A close or fsync waits for it, and reports its failure. */
	isWaitedFor: boolean;
	/** Ends it at once. */
	readonly abort: AbortController;
	/** Ends it where it is known what S3 has. */
	readonly stop: AbortController;
};

/**
Brings sealed layers to S3: the layers of one file in their order, several files at once. What fails for a reason
that may pass is tried again in the background for as long as the process lives, and at the next start.
*/
export class UploadQueue<Item extends UploadItem> {
	readonly #uploader: Uploader;
	readonly #items: () => readonly Item[];
	readonly #onStep: (item: Item, step: UploadStep) => void;
	readonly #onEvent: (event: UploadEvent) => void;
	readonly #retryDelayMs: number;
	readonly #slots = new Semaphore(uploadsAtOnceMax);
	readonly #running = new Map<Item, Running>();
	readonly #retries = new Map<Item, {readonly timer: NodeJS.Timeout; readonly delayMs: number}>();
	readonly #waitingForCopies = new Set<Item>();
	/** Items that a task withholds, and when it is over. */
	readonly #withheld = new Map<Item, Promise<void>>();
	readonly #counts: ReturnType<typeof createCounts>;
	#isClosed = false;
	conflictCount = 0;
	failedCount = 0;
	lastError: {readonly atMs: number; readonly message: string} | undefined;

	constructor(options: {
		uploader: Uploader;
		/** All files that may have changes. */
		items: () => readonly Item[];
		/** Called in the turn in which the item moves onto the stored object, so that nobody sees one without the other. */
		onStep: (item: Item, step: UploadStep) => void;
		onEvent: (event: UploadEvent) => void;
		retryDelayMs?: number | undefined;
		metrics?: MetricSink | undefined;
	}) {
		this.#uploader = options.uploader;
		this.#items = options.items;
		this.#onStep = options.onStep;
		this.#onEvent = options.onEvent;
		this.#retryDelayMs = options.retryDelayMs ?? 1000;
		this.#counts = createCounts(options.metrics ?? noMetrics);
	}

	/** Files whose bytes are on their way or wait for it. */
	get pendingCount(): number {
		return this.#items().filter(({layers}) => layers.next !== undefined).length;
	}

	/**
	Uploads all that is sealed of an item; fails with the reason when that does not work now. Say when that reason is told
	to the program that wrote the bytes: then S3 may refuse them for good.
	*/
	async settle(item: Item, {isWaitedFor = false}: {isWaitedFor?: boolean} = {}): Promise<void> {
		do {
			while (this.#withheld.has(item)) {
				await this.#withheld.get(item);
			}

			const running = this.#running.get(item) ?? this.#begin(item);
			running.isWaitedFor ||= isWaitedFor;
			try {
				await running.promise;
			} catch (error) {
				if (!running.stop.signal.aborted || !isStoreError(error, 'aborted')) {
					throw error;
				}
			}

			// What was sealed while the last upload was being tidied up was not in it.
		} while (item.layers.next !== undefined);
	}

	/** Resolves when nothing is on its way any more. */
	async idle(): Promise<void> {
		await Promise.allSettled([...this.#running.values()].map(async ({promise}) => promise));
	}

	/**
	As `settle`, in the background: a failure for good is kept for the next fsync or open of the file. Of others nobody
	has to hear: the upload is tried again, and whoever must have the bytes safe waits for the journal or for S3.
	*/
	start(item: Item): void {
		this.settle(item).catch((error: unknown) => {
			if (this.#isFinal(item, error as Error)) {
				item.unreportedError = error as Error;
			}
		});
	}

	/**
	Runs a task that takes the object of an item away, or replaces it. What is on its way is stopped before, and nothing
	begins until the task is over: so nothing of the item becomes visible meanwhile. Whoever settles it waits for the end
	of the task, and for what is left to upload then. One call at a time for an item.
	*/
	async withhold<Result>(item: Item, task: () => Promise<Result>): Promise<Result> {
		const over = Promise.withResolvers<void>();
		this.#withheld.set(item, over.promise);
		try {
			await this.#stop(item);
			return await task();
		} finally {
			this.#withheld.delete(item);
			over.resolve();
		}
	}

	/** `aborted` once uploads have ended; the message says what was not done. */
	assertOpen(what: string): void {
		if (this.#isClosed) {
			throw new StoreError('aborted', `${what}: the volume is being unmounted`);
		}
	}

	/** Ends retries; what was not uploaded stays in the journal. */
	async close(): Promise<void> {
		this.#isClosed = true;
		for (const item of [...this.#retries.keys()]) {
			this.#forgetRetry(item);
		}

		await Promise.allSettled(
			[...this.#running.values()].map(async ({promise, abort}) => {
				abort.abort();
				await promise;
			}),
		);
		await Promise.allSettled(this.#items().map(async ({layers}) => layers.record({isDurable: true})));
	}

	async #stop(item: Item): Promise<void> {
		this.#forgetRetry(item);
		const running = this.#running.get(item);
		if (running !== undefined) {
			running.stop.abort();
			await running.promise.catch(() => undefined); // Its failure is told to those who wait for the upload.
			this.#forgetRetry(item);
		}
	}

	#begin(item: Item): Running {
		this.assertOpen(`Cannot upload ${item.path}`);
		clearTimeout(this.#retries.get(item)?.timer);
		const [abort, stop] = [new AbortController(), new AbortController()];
		const promise = this.#run(item, abort.signal, stop.signal).finally(() => {
			this.#running.delete(item);
			this.#onStep(item, {step: 'ended'});
		});
		const running = {promise, abort, stop, isWaitedFor: false};
		this.#running.set(item, running);
		return running;
	}

	async #run(item: Item, signal: AbortSignal, stopSignal: AbortSignal): Promise<void> {
		for (let sealed = await item.layers.claim(); sealed !== undefined; sealed = await item.layers.claim()) {
			try {
				await this.#settleCopiesOf(item, sealed.key);
				await this.#store(item, sealed, signal, stopSignal);
			} catch (error) {
				// Also what failed may have been stored, if only the answer was lost: the next try looks.
				sealed.mayBeStored = true;
				await this.#fail(item, error as Error);
				item.layers.endWaits(); // Those who wait for this run hear of it now.
				throw error;
			}
		}

		this.#forgetRetry(item);
		item.unreportedError = undefined;
		this.lastError = this.#retries.size === 0 ? undefined : this.lastError;
	}

	async #store(item: Item, sealed: SealedLayer, signal: AbortSignal, stopSignal: AbortSignal): Promise<void> {
		const outcome = await this.#slots.run(async () =>
			this.#uploader.upload({...sealed, base: item.layers.base, signal, stopSignal}),
		);
		await item.layers.take(outcome, replacesOthers => {
			this.#noteStored(item, outcome, replacesOthers);
		});
	}

	#noteStored(item: Item, outcome: UploadOutcome, replacesOthers: boolean): void {
		const {head, movedBytes, hasConflict, isSuperseded = false} = outcome;
		this.#counts.stored.value++;
		this.#onStep(item, {step: 'stored', path: head.key, head, movedBytes, isSuperseded});
		if (hasConflict || replacesOthers) {
			this.conflictCount++;
			this.#onEvent({event: 'conflict', path: head.key});
		}
	}

	/**
	Files that were copied on the server from the version that is to be replaced go first, where the bucket keeps no
	old one.
	*/
	async #settleCopiesOf(item: Item, key: string): Promise<void> {
		if (item.layers.base === undefined || item.layers.base.versionId !== undefined) {
			return;
		}

		for (const other of this.#items()) {
			// Two that were copied from each other cannot both go first.
			if (
				other === item ||
				this.#waitingForCopies.has(other) ||
				other.layers.next === undefined ||
				!other.layers.refersTo(source => source === key)
			) {
				continue;
			}

			this.#waitingForCopies.add(item);
			try {
				await this.settle(other);
			} catch (error) {
				if (!this.#isFinal(other, error as Error)) {
					throw error;
				}
			} finally {
				this.#waitingForCopies.delete(item);
			}
		}
	}

	async #fail(item: Item, error: Error): Promise<void> {
		if (isStoreError(error, 'aborted')) {
			return;
		}

		this.failedCount++;
		this.lastError = {atMs: Date.now(), message: `${item.path}: ${error.message}`};
		const isRefused = this.#isFinal(item, error);
		(isRefused ? this.#counts.refused : this.#counts.delayed).value++;
		let keptAt: string | undefined;
		// It may take long until the next try succeeds: the bytes outlast a loss of power from now on.
		await item.layers.record({isDurable: true}).catch((cause: unknown) => {
			this.#onEvent({
				event: 'upload failed',
				path: item.path,
				error: new Error(`The journal could not be written: ${messageOf(cause)}`, {cause}),
				isFinal: false,
			});
		});
		if (isRefused && !item.isOpen) {
			// No program has the file open to get the error: unless a close reported it, the bytes are kept for a person.
			if (item.wasToldOfFailure) {
				await item.layers.discard();
			} else {
				keptAt = await item.layers.keepFailed();
			}

			this.#forgetRetry(item);
			this.#onStep(item, {step: 'dropped'});
		} else if (!isRefused) {
			this.#retryLater(item);
		}

		this.#onEvent({event: 'upload failed', path: item.path, error, isFinal: isRefused, keptAt});
	}

	#isFinal(item: Item, error: Error): boolean {
		if (isStoreError(error, 'accessDenied')) {
			// A policy is edited: of a file that a program believes to be safe, that is as curable as the others.
			return item.wasToldOfFailure || this.#running.get(item)?.isWaitedFor === true;
		}

		return isFinal(error);
	}

	#retryLater(item: Item): void {
		if (this.#isClosed) {
			return;
		}

		const delayMs = Math.min((this.#retries.get(item)?.delayMs ?? this.#retryDelayMs / 2) * 2, retryDelayMsMax);
		const timer = setTimeout(() => {
			this.start(item);
		}, delayMs);
		timer.unref();
		this.#retries.set(item, {timer, delayMs});
	}

	#forgetRetry(item: Item): void {
		clearTimeout(this.#retries.get(item)?.timer);
		this.#retries.delete(item);
	}
}

const createCounts = (metrics: MetricSink) => ({
	stored: metrics.counter('pnx_volume_uploads_total', {result: 'stored'}),
	delayed: metrics.counter('pnx_volume_uploads_total', {result: 'delayed'}),
	refused: metrics.counter('pnx_volume_uploads_total', {result: 'refused'}),
});

/** As many as calls of the kernel, each of which may close a small file; the memory for parts bounds large ones. */
const uploadsAtOnceMax = 64;
const retryDelayMsMax = 60_000;
