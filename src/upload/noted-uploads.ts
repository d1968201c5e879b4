import {createHash} from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import {isStoreError} from '../model/store-error.ts';
import type {
	MultipartUpload,
	ObjectStore,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from '../store/object-store.ts';

type CallOptions = {readonly signal?: AbortSignal | undefined};

/**
Uploads in parts, each with a note in the staging directory for as long as it is unfinished: `<hash>.upload`, the key
and the upload id as JSON. S3 keeps the parts of an upload that nobody ends, and charges for them; so what a daemon that
was killed has left is aborted at the next start, and what could not be aborted then or now, after the next abort that
works.
*/
export class NotedUploads {
	readonly #store: ObjectStore;
	readonly #directory: string;
	/** To be aborted, by their id. */
	readonly #left = new Map<string, MultipartUpload>();
	#aborting: Promise<void> | undefined;

	private constructor(options: {store: ObjectStore; directory: string}) {
		this.#store = options.store;
		this.#directory = options.directory;
	}

	/** Aborts what earlier runs have left, in the background. */
	static async open(options: {store: ObjectStore; directory: string}): Promise<NotedUploads> {
		const uploads = new NotedUploads(options);
		for (const name of (await fs.readdir(options.directory)).filter(candidate => candidate.endsWith(suffix))) {
			const note = path.join(options.directory, name);
			const upload = parseNote(await fs.readFile(note, 'utf8'));
			if (upload !== undefined && toName(upload) === name) {
				uploads.#left.set(upload.uploadId, upload);
			} else {
				await fs.rm(note, {force: true}); // A crash came while it was written.
			}
		}

		uploads.#abortLeft();
		return uploads;
	}

	/** As that of the store. The note is on disk when it returns, if the disk takes it. */
	async createMultipartUpload(key: string, request: WriteAttributes & CallOptions): Promise<MultipartUpload> {
		const upload = await this.#store.createMultipartUpload(key, request);
		const note = JSON.stringify({key, uploadId: upload.uploadId});
		await fs.writeFile(this.#notePath(upload), note, {mode: 0o600}).catch(() => undefined);
		return upload;
	}

	/** As that of the store. */
	async completeMultipartUpload(
		upload: MultipartUpload,
		parts: readonly UploadedPart[],
		request: WriteCondition & CallOptions,
	): Promise<PutResult> {
		const result = await this.#store.completeMultipartUpload(upload, parts, request);
		await this.#forget(upload);
		return result;
	}

	/** As that of the store; one that fails is tried again later. */
	async abortMultipartUpload(upload: MultipartUpload): Promise<void> {
		this.#left.set(upload.uploadId, upload);
		await this.#abort(upload);
		this.#abortLeft();
	}

	/** Resolves when nothing is being aborted any more. */
	async close(): Promise<void> {
		await this.#aborting;
	}

	#abortLeft(): void {
		this.#aborting ??= this.#abortAll().finally(() => {
			this.#aborting = undefined;
		});
	}

	async #abortAll(): Promise<void> {
		for (const upload of [...this.#left.values()]) {
			try {
				await this.#abort(upload);
			} catch {
				return; // S3 is away, or does not allow it: later.
			}
		}
	}

	async #abort(upload: MultipartUpload): Promise<void> {
		try {
			await this.#store.abortMultipartUpload(upload);
		} catch (error) {
			if (!isStoreError(error, 'accessDenied')) {
				throw error;
			}
			// A note that no start can end would look like a journal: the bucket's lifecycle rule removes the parts.
		}

		this.#left.delete(upload.uploadId);
		await this.#forget(upload);
	}

	async #forget(upload: MultipartUpload): Promise<void> {
		// A note that stays is of an upload that S3 does not know: the next start finds that out.
		await fs.rm(this.#notePath(upload), {force: true}).catch(() => undefined);
	}

	#notePath(upload: MultipartUpload): string {
		return path.join(this.#directory, toName(upload));
	}
}

const suffix = '.upload';

/** Upload ids may be long, and have any characters. */
const toName = ({uploadId}: MultipartUpload): string =>
	`${createHash('sha256').update(uploadId).digest('hex').slice(0, 32)}${suffix}`;

const parseNote = (text: string): MultipartUpload | undefined => {
	try {
		const {key, uploadId} = JSON.parse(text) as Partial<MultipartUpload>;
		return typeof key === 'string' && typeof uploadId === 'string' ? {key, uploadId} : undefined;
	} catch {
		return undefined;
	}
};
