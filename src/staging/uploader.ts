import {StoreError, isStoreError} from '../model/store-error.ts';
import {Semaphore, forEachParallel} from '../model/semaphore.ts';
import {type ContentPiece, type CopyableObject, type PlannedPart, planUpload} from '../model/upload-plan.ts';
import type {Metadata, MultipartUpload, ObjectHead, ObjectStore, PutResult, UploadedPart, WriteCondition} from '../store/object-store.ts';
import type {StagedLayer} from './staged-layer.ts';

/** Reads bytes of an object that a part needs and the server cannot copy (below 5 MiB, or at a border). */
export type ReadObject = (object: CopyableObject, offset: number, target: Uint8Array) => Promise<void>;

export type UploadRequest = {
	readonly key: string;
	/** The object that the layer lies on and that we expect to replace; `undefined`: we expect that there is none. */
	readonly base: ObjectHead | undefined;
	readonly layer: StagedLayer;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
	/** Set for a layer of an earlier run, which may have uploaded it just before it died: when it was sealed. */
	readonly recoveredFromMs?: number | undefined;
	readonly signal?: AbortSignal | undefined;
};

export type UploadOutcome = {
	readonly head: ObjectHead;
	/** The object grew elsewhere, and what was appended here stands so many bytes further on. */
	readonly movedBytes: number;
	/** Somebody else's change was replaced by this one. */
	readonly hasConflict: boolean;
};

/**
Puts sealed layers into S3. Every write carries a condition, so that a change by somebody else is noticed:
bytes that were only appended go behind the new end; otherwise the last close wins, and the outcome says so.
*/
export class Uploader {
	readonly #store: ObjectStore;
	readonly #readObject: ReadObject;
	readonly #partBytes: number;
	readonly #memory: Semaphore;
	readonly #memoryUnits: number;
	readonly #buffers: Buffer[] = [];

	/** `memoryBytesMax` bounds the bytes of parts on their way, of all files together; one part always fits. */
	constructor(options: {store: ObjectStore; readObject: ReadObject; partBytes: number; memoryBytesMax: number}) {
		this.#store = options.store;
		this.#readObject = options.readObject;
		this.#partBytes = options.partBytes;
		this.#memoryUnits = Math.max(1, Math.floor(options.memoryBytesMax / memoryUnitBytes));
		this.#memory = new Semaphore(this.#memoryUnits);
	}

	/** One file. Fails with `preconditionFailed` when bytes that the new object needs are gone from S3. */
	async upload(request: UploadRequest): Promise<UploadOutcome> {
		let content = request.layer.content(request.base);
		let condition: WriteCondition = request.base === undefined ? {ifNoneMatch: '*'} : {ifMatch: request.base.etag};
		let expectedEtag = request.base?.etag;
		let movedBytes = 0;
		let hasConflict = false;
		for (let attempt = 1; ; attempt++) {
			try {
				const result = await this.#write(request, content, condition);
				const sizeBytes = content.reduce((total, piece) => total + piece.bytes, 0);
				const {key, metadata, contentType} = request;
				return {head: {key, metadata, contentType, sizeBytes, lastModifiedMs: Date.now(), ...result}, movedBytes, hasConflict};
			} catch (error) {
				if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= attemptCountMax) {
					throw error;
				}

				const current = await this.#store.head(request.key, {signal: request.signal});
				if (current?.etag === expectedEtag) {
					// The target is as we expected it: what failed is a source that is gone.
					throw new StoreError('preconditionFailed', `Uploading ${request.key}: bytes that the new version needs were changed or deleted in S3 meanwhile, and the bucket has no old versions of them`, {cause: error});
				}

				if (current !== undefined && request.recoveredFromMs !== undefined && isSameUpload(current, request, request.recoveredFromMs)) {
					return {head: current, movedBytes: 0, hasConflict: false};
				}

				expectedEtag = current?.etag;
				condition = current === undefined ? {ifNoneMatch: '*'} : {ifMatch: current.etag};
				const {appendedFrom, sizeBytes} = request.layer;
				if (appendedFrom === undefined) {
					hasConflict = true;
				} else {
					movedBytes = (current?.sizeBytes ?? 0) - appendedFrom;
					content = [...(current === undefined ? [] : wholeOf(current)), ...cutContent(request.layer.content(request.base), appendedFrom, sizeBytes)];
				}
			}
		}
	}

	async #write(request: UploadRequest, content: readonly ContentPiece[], condition: WriteCondition): Promise<PutResult> {
		const {key, metadata, contentType, signal} = request;
		const plan = planUpload(content, {partBytes: this.#partBytes});
		switch (plan.kind) {
			case 'copy': {
				return this.#store.copy(plan.object, key, {...condition, replace: {metadata, contentType}, signal});
			}

			case 'put': {
				return this.#withBytes(request.layer, plan.pieces, plan.bytes, async bytes =>
					this.#store.put(key, bytes, {...condition, metadata, contentType, signal}));
			}

			case 'multipart': {
				const upload = await this.#store.createMultipartUpload(key, {metadata, contentType, signal});
				try {
					const parts = await this.#sendParts(request, upload, plan.parts);
					return await this.#store.completeMultipartUpload(upload, parts, {...condition, signal});
				} catch (error) {
					// What failed is what the caller must hear of; parts that stay are removed by the bucket's lifecycle rule.
					await this.#store.abortMultipartUpload(upload).catch(() => undefined);
					throw error;
				}
			}
		}
	}

	async #sendParts(request: UploadRequest, upload: MultipartUpload, parts: readonly PlannedPart[]): Promise<UploadedPart[]> {
		const uploaded: UploadedPart[] = [];
		await forEachParallel(parts.entries(), partsAtOnceMax, async ([index, part]) => {
			uploaded[index] = await this.#sendPart(request, upload, index + 1, part);
		});
		return uploaded;
	}

	async #sendPart(request: UploadRequest, upload: MultipartUpload, partNumber: number, part: PlannedPart): Promise<UploadedPart> {
		const {signal} = request;
		switch (part.kind) {
			case 'copy': {
				return this.#store.uploadPartCopy(upload, partNumber, part.object, {start: part.start, end: part.end}, {signal});
			}

			case 'send': {
				return this.#withBytes(request.layer, part.pieces, part.bytes, async bytes => this.#store.uploadPart(upload, partNumber, bytes, {signal}));
			}
		}
	}

	async #withBytes<Result>(layer: StagedLayer, pieces: readonly ContentPiece[], bytes: number, send: (bytes: Uint8Array) => Promise<Result>): Promise<Result> {
		return this.#memory.run(async () => {
			const buffer = bytes > this.#partBytes ? Buffer.allocUnsafeSlow(bytes) : bytes < smallBytes ? Buffer.allocUnsafe(bytes) : this.#buffers.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes);
			try {
				let filled = 0;
				for (const piece of pieces) {
					const target = buffer.subarray(filled, filled + piece.bytes);
					switch (piece.source.kind) {
						case 'local': {
							await layer.read(piece.source.offset, target);
							break;
						}

						case 'zero': {
							target.fill(0);
							break;
						}

						case 'object': {
							await this.#readObject(piece.source.object, piece.source.offset, target);
							break;
						}
					}

					filled += piece.bytes;
				}

				return await send(buffer.subarray(0, bytes));
			} finally {
				if (buffer.length === this.#partBytes && this.#buffers.length * this.#partBytes < this.#memoryUnits * memoryUnitBytes) {
					this.#buffers.push(buffer);
				}
			}
		}, Math.ceil(bytes / memoryUnitBytes));
	}
}

/** Whether an object is what this upload would make: the modification time is part of the metadata to the nanosecond. */
const isSameUpload = (current: ObjectHead, request: UploadRequest, sealedAtMs: number): boolean => {
	const keys = new Set([...Object.keys(current.metadata), ...Object.keys(request.metadata)]);
	return current.sizeBytes === request.layer.sizeBytes
		&& [...keys].every(key => current.metadata[key] === request.metadata[key])
		&& ('file-mtime' in request.metadata || current.lastModifiedMs >= sealedAtMs - 1000);
};

const attemptCountMax = 8;
const partsAtOnceMax = 6;
const memoryUnitBytes = 2 ** 20;
const smallBytes = 2 ** 18;

const wholeOf = (object: ObjectHead): ContentPiece[] => (object.sizeBytes === 0 ? [] : [{bytes: object.sizeBytes, source: {kind: 'object', object, offset: 0}}]);

/** The part [start, end) of a content. */
const cutContent = (content: readonly ContentPiece[], start: number, end: number): ContentPiece[] => {
	const pieces: ContentPiece[] = [];
	let position = 0;
	for (const piece of content) {
		const from = Math.max(start, position);
		const to = Math.min(end, position + piece.bytes);
		if (from < to) {
			const skip = from - position;
			pieces.push({bytes: to - from, source: piece.source.kind === 'zero' ? piece.source : {...piece.source, offset: piece.source.offset + skip}});
		}

		position += piece.bytes;
	}

	return pieces;
};
