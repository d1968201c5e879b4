import {unlink} from 'node:fs/promises';
import {toError} from '../../model/error-text.ts';
import {closeFile, openFile, writeVector} from './file-descriptor.ts';
import type {Segment} from './segment.ts';

/** Bodies up to this size share a file with others. */
const packedBytesMax = 64 * 1024;
/** Writes are gathered up to this size. */
const writeBytes = 1 << 20;
/** The sender is told to wait from here on. */
const queuedBytesMax = 4 << 20;

/** What a writer needs of the blobs' store. */
type BlobFiles = {
	createId(): {id: string; path: string};
	pack(pieces: readonly Uint8Array[], sizeBytes: number): Segment;
	retain(segments: readonly Segment[]): void;
};

/** Takes the bytes of one body: small ones go into the shared pack, larger ones stream to a file of their own. */
export class BlobWriter {
	readonly #store: BlobFiles;
	#queue: Uint8Array[] = [];
	#queuedBytes = 0;
	#sizeBytes = 0;
	#file: {id: string; path: string; fd: Promise<number>} | undefined;
	#writing: Promise<void> | undefined;
	#inFlightBytes = 0;
	#failure: Error | undefined;

	constructor(store: BlobFiles) {
		this.#store = store;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/** Takes bytes, which must not change any more. Answers with a promise when the sender should wait for it. */
	write(data: Uint8Array): Promise<void> | undefined {
		this.#queue.push(data);
		this.#queuedBytes += data.length;
		this.#sizeBytes += data.length;
		if (this.#sizeBytes > packedBytesMax && this.#queuedBytes >= writeBytes) {
			this.#startWriting();
		}

		return this.#queuedBytes + this.#inFlightBytes > queuedBytesMax ? this.#writing : undefined;
	}

	/** All bytes are stored. The segments are held for the caller, who must release them. */
	async finish(): Promise<Segment[]> {
		if (this.#file === undefined && this.#sizeBytes <= packedBytesMax) {
			return this.#sizeBytes === 0 ? [] : [this.#store.pack(this.#queue, this.#sizeBytes)];
		}

		while (this.#queuedBytes > 0 || this.#writing !== undefined) {
			this.#startWriting();
			await this.#writing;
		}

		const {id} = this.#file!; // More than a pack takes was written.
		if (this.#failure !== undefined) {
			await this.#closeFile({isKept: false});
			throw this.#failure;
		}

		await this.#closeFile({isKept: true});
		const segments = [{blob: id, start: 0, length: this.#sizeBytes}];
		this.#store.retain(segments);
		return segments;
	}

	/** Forgets the bytes; nothing to do after `finish`. */
	async discard(): Promise<void> {
		this.#queue = [];
		this.#queuedBytes = 0;
		await this.#writing;
		await this.#closeFile({isKept: false});
	}

	async #closeFile({isKept}: {isKept: boolean}): Promise<void> {
		const file = this.#file;
		this.#file = undefined;
		// When the file could not be opened, that is the failure which `finish` throws.
		const fd = await file?.fd.catch(() => undefined);
		if (file !== undefined && fd !== undefined) {
			await closeFile(fd);
			if (!isKept) {
				await unlink(file.path);
			}
		}
	}

	#startWriting(): void {
		if (this.#writing !== undefined || this.#queuedBytes === 0) {
			return;
		}

		this.#file ??= this.#openFile();
		const batch = this.#queue;
		this.#inFlightBytes = this.#queuedBytes;
		this.#queue = [];
		this.#queuedBytes = 0;
		this.#writing = this.#file.fd
			.then(fd => writeAll(fd, batch))
			.catch((error: unknown) => {
				this.#failure ??= toError(error);
			})
			.then(() => {
				this.#writing = undefined;
				this.#inFlightBytes = 0;
				if (this.#queuedBytes >= writeBytes) {
					this.#startWriting();
				}
			});
	}

	#openFile(): {id: string; path: string; fd: Promise<number>} {
		const {id, path} = this.#store.createId();
		return {id, path, fd: openFile(path, 'wx')};
	}
}

const writeAll = async (fd: number, batch: Uint8Array[]): Promise<void> => {
	let rest = batch;
	while (rest.length > 0) {
		let {bytesWritten: written} = await writeVector(fd, rest);
		rest = rest.filter(data => {
			const isDone = written >= data.length;
			written -= isDone ? data.length : 0;
			return !isDone;
		});
		if (written > 0) {
			rest[0] = rest[0]!.subarray(written); // What is left over belongs to the first that was not done.
		}
	}
};
