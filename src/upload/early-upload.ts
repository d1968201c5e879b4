import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import {throwIfAborted} from '../store/abort.ts';
import type {ByteRange, MultipartUpload, PutResult, UploadedPart, WriteAttributes} from '../store/object-store.ts';
import type {BegunUpload, CompleteRequest, ContentWriter} from './content-writer.ts';
import {earlyPartRange, earlyPartRanges} from './early-part-ranges.ts';
import type {NotedUploads} from './noted-uploads.ts';
import type {StagedLayer} from './staged-layer.ts';
import {partCountMax} from './upload-plan.ts';

/** What S3 is told when the upload begins, and cannot be told later. */
export type EarlyAttributes = Pick<WriteAttributes, 'metadata' | 'contentType' | 'writeId' | 'keptWriteIds'>;

type EarlyPart = ByteRange & {
	readonly sending: Promise<UploadedPart>;
	/** Bytes of it have changed since it was read. */
	isStale: boolean;
};

/**
An upload in parts that begins while its file is still written: whole parts of a file that is written from its start on
go to S3. Their bytes stay in the layer, so that the upload can be given up at any time and for any reason, and made
anew as if it had never begun. Whoever uploads the sealed layer completes it, when it is still what the object is to be.
*/
export class EarlyUpload implements BegunUpload {
	/** The write id of the layer, without where it appends. */
	readonly writeHash: string;
	readonly #key: string;
	readonly #attributes: EarlyAttributes;
	readonly #layer: StagedLayer;
	readonly #writer: ContentWriter;
	readonly #uploads: NotedUploads;
	readonly #onWasted: () => void;
	readonly #sizes: {readonly partBytes: number; readonly hasEqualParts: boolean};
	readonly #abort = new AbortController();
	#upload: Promise<MultipartUpload> | undefined;
	readonly #parts: EarlyPart[] = [];
	#sendingCount = 0;
	#staleCount = 0;
	#isSealed = false;
	#ending: Promise<void> | undefined;

	constructor(options: {
		writeHash: string;
		key: string;
		attributes: EarlyAttributes;
		layer: StagedLayer;
		writer: ContentWriter;
		uploads: NotedUploads;
		/** It was given up for what the program does with the file. */
		onWasted: () => void;
	}) {
		this.writeHash = options.writeHash;
		this.#key = options.key;
		this.#attributes = options.attributes;
		this.#layer = options.layer;
		this.#writer = options.writer;
		this.#uploads = options.uploads;
		this.#onWasted = options.onWasted;
		this.#sizes = {partBytes: options.writer.partBytes, hasEqualParts: options.writer.hasEqualParts};
		this.#layer.changes.listen((start, end) => {
			this.#noteChange(start, end);
		});
	}

	/** Whether it may still be completed. */
	get isAlive(): boolean {
		return this.#ending === undefined;
	}

	/** Sends the next parts that are whole, as many as may be on their way. */
	advance(): void {
		while (this.isAlive && !this.#isSealed && this.#sendingCount < partsAtOnceMax) {
			const range = earlyPartRange(this.#parts.length, this.#sizes);
			if (this.#parts.length >= partCountMax) {
				this.waste(); // Few files are so large.
				return;
			}

			if (!this.#layer.hasAll(range.start, range.end)) {
				return;
			}

			const sending = this.#send(this.#parts.length, range, this.#abort.signal);
			this.#parts.push({...range, sending, isStale: false});
			this.#sendingCount++;
			sending.then(
				() => {
					this.#sendingCount--;
					this.advance();
				},
				() => {
					this.#sendingCount--;
					void this.abandon(); // The upload of the sealed layer tries again, and says what is wrong.
				},
			);
		}
	}

	/** No change of the layer follows. */
	seal(): void {
		this.#isSealed = true;
		this.#layer.changes.listen(undefined);
	}

	fits(key: string, {blockSums, ...attributes}: WriteAttributes, sizeBytes: number): boolean {
		return (
			this.isAlive &&
			key === this.#key &&
			blockSums === undefined &&
			toText(attributes) === toText(this.#attributes) &&
			earlyPartRanges(sizeBytes, this.#sizes) !== undefined
		);
	}

	async complete({sizeBytes, signal, partSignal, ...condition}: CompleteRequest): Promise<PutResult> {
		const giveUp = () => {
			this.#abort.abort();
		};

		try {
			throwIfAborted(`upload ${this.#key}`, partSignal);
			partSignal.addEventListener('abort', giveUp);
			const upload = await this.#begin();
			const uploaded: UploadedPart[] = [];
			const ranges = earlyPartRanges(sizeBytes, this.#sizes) ?? []; // `fits` says that there are some.
			await forEachParallel(ranges.entries(), partsAtOnceMax, async ([index, range]) => {
				uploaded[index] = await this.#partOf(index, range);
			});
			throwIfAborted(`upload ${this.#key}`, partSignal);
			const result = await this.#uploads.completeMultipartUpload(upload, uploaded, {...condition, signal});
			this.#ending = Promise.resolve();
			return result;
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed')) {
				await this.abandon();
			}

			// Otherwise the parts are good, and go into the next try.
			throw error;
		} finally {
			partSignal.removeEventListener('abort', giveUp);
		}
	}

	/** The object is to be another one than this upload makes. */
	waste(): void {
		if (this.isAlive) {
			this.#onWasted();
			void this.abandon();
		}
	}

	/** S3 forgets the parts. Resolves when that is done, or was put off; safe to repeat. */
	async abandon(): Promise<void> {
		this.seal();
		this.#ending ??= this.#end();
		return this.#ending;
	}

	async #end(): Promise<void> {
		this.#abort.abort();
		const upload = await this.#upload?.catch(() => undefined);
		await Promise.allSettled(this.#parts.map(async ({sending}) => sending));
		if (upload !== undefined) {
			await this.#uploads.abortMultipartUpload(upload).catch(() => undefined); // It is tried again.
		}
	}

	async #begin(): Promise<MultipartUpload> {
		this.#upload ??= this.#uploads.createMultipartUpload(this.#key, {
			...this.#attributes,
			signal: this.#abort.signal,
		});
		return this.#upload;
	}

	async #partOf(index: number, range: ByteRange): Promise<UploadedPart> {
		const part = this.#parts[index];
		if (part !== undefined && !part.isStale && part.end === range.end) {
			return part.sending;
		}

		await part?.sending; // The server must not get the older one last.
		const sending = this.#send(index, range, this.#abort.signal);
		this.#parts[index] = {...range, sending, isStale: false};
		return sending;
	}

	async #send(index: number, {start, end}: ByteRange, signal: AbortSignal): Promise<UploadedPart> {
		const upload = await this.#begin();
		return this.#writer.sendBytes(upload, index + 1, {
			bytes: end - start,
			// When there is memory for them: what changes from then on makes the part stale.
			pieces: () => this.#layer.content(undefined, {start, end}),
			signal,
		});
	}

	#noteChange(start: number, end: number): void {
		const last = this.#parts.at(-1);
		if (last === undefined || start >= last.end) {
			return;
		}

		for (const part of this.#parts) {
			if (!part.isStale && part.start < end && part.end > start) {
				part.isStale = true;
				this.#staleCount++;
			}
		}

		if (this.#staleCount > staleCountMax) {
			this.waste(); // The file is not written from its start to its end.
		}
	}
}

const toText = ({metadata = {}, contentType, writeId, keptWriteIds = []}: EarlyAttributes): string =>
	JSON.stringify([Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)), contentType, writeId, keptWriteIds]);

const partsAtOnceMax = 6;
/** So many parts may have to be sent twice: a program that changes a header at the end changes one. */
const staleCountMax = 16;
