import {setTimeout as delay} from 'node:timers/promises';
import {StoreError, isStoreError} from '../model/store-error.ts';
import {Semaphore, forEachParallel} from '../model/semaphore.ts';
import {type ContentPiece, type CopyableObject, type PlannedPart, planUpload} from './upload-plan.ts';
import type {
	Metadata,
	MultipartUpload,
	ObjectHead,
	ObjectStore,
	PutResult,
	UploadedPart,
	WriteCondition,
} from '../store/object-store.ts';
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
	/** An earlier try, or an earlier run that died, may have stored it without learning of it. */
	readonly mayBeStored?: boolean | undefined;
	/** Ends the upload at once: whether S3 has the object then is not known. */
	readonly signal?: AbortSignal | undefined;
	/**
	Asks to give up. The request that makes the object visible is not interrupted, so that it cannot come true later.
	*/
	readonly stopSignal?: AbortSignal | undefined;
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
	readonly #onUselessConditions: (() => void) | undefined;
	#looksFirst = false;
	readonly #buffers: Buffer[] = [];

	/** `memoryBytesMax` bounds the bytes of parts on their way, of all files together; one part always fits. */
	constructor(options: {
		store: ObjectStore;
		readObject: ReadObject;
		partBytes: number;
		memoryBytesMax: number /** Called once, when the server turns out to refuse conditions that hold. */;
		onUselessConditions?: () => void;
	}) {
		this.#store = options.store;
		this.#readObject = options.readObject;
		this.#partBytes = options.partBytes;
		this.#onUselessConditions = options.onUselessConditions;
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
		let refusedCount = 0;
		for (let attempt = 1; ; attempt++) {
			throwIfStopped(request);
			if (attempt > eagerAttemptCount) {
				// Many nodes write this key at once, and one of them wins each time: out of step they all get their turn.
				await delay(Math.random() * Math.min(attempt * 10, retryDelayMsMax));
			}

			try {
				const result = await this.#write(request, content, await this.#usableCondition(request, condition));
				const sizeBytes = content.reduce((total, piece) => total + piece.bytes, 0);
				const {key, metadata, contentType} = request;
				return {
					head: {key, metadata, contentType, sizeBytes, lastModifiedMs: Date.now(), ...result},
					movedBytes,
					hasConflict,
				};
			} catch (error) {
				if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= attemptCountMax) {
					throw error;
				}

				const current = await this.#store.head(request.key, {signal: request.signal});
				if (current?.etag === expectedEtag) {
					refusedCount++;
					if (await this.#hasSources(content, request)) {
						// Bytes and target are as we expect them: a racing write held up the request and is gone (409), or the
						// parts were; or always so.
						this.#noteRefusal(condition, refusedCount);
						continue;
					}

					// The target is as we expected it: what failed is a source that is gone.
					throw new StoreError(
						'preconditionFailed',
						`Uploading ${request.key}: bytes that the new version needs were changed or deleted in S3 meanwhile, and the bucket has no old versions of them`,
						{cause: error},
					);
				}

				if (current !== undefined && request.mayBeStored === true && (await this.#isSameUpload(current, request))) {
					return {head: current, movedBytes: current.sizeBytes - request.layer.sizeBytes, hasConflict: false};
				}

				expectedEtag = current?.etag;
				condition = current === undefined ? {ifNoneMatch: '*'} : {ifMatch: current.etag};
				const {appendedFrom, sizeBytes} = request.layer;
				if (appendedFrom === undefined) {
					hasConflict = true;
				} else {
					movedBytes = (current?.sizeBytes ?? 0) - appendedFrom;
					content = [
						...(current === undefined ? [] : wholeOf(current)),
						...cutContent(request.layer.content(request.base), appendedFrom, sizeBytes),
					];
				}
			}
		}
	}

	/** Whether all objects that a content names are still the ones that it means. */
	async #hasSources(content: readonly ContentPiece[], {signal}: UploadRequest): Promise<boolean> {
		const objects = new Map(
			content.flatMap(({source}) => (source.kind === 'object' ? [[source.object.key, source.object] as const] : [])),
		);
		for (const {key, etag, versionId} of objects.values()) {
			if (versionId === undefined && (await this.#store.head(key, {signal}))?.etag !== etag) {
				return false;
			}
		}

		return true;
	}

	/**
	A server that refuses a condition again and again although it holds does not know it: Ceph 16 refuses every
	If-Match in a versioned bucket.
	*/
	#noteRefusal({ifMatch}: WriteCondition, refusedCount: number): void {
		if (ifMatch !== undefined && refusedCount >= refusalCountMax && !this.#looksFirst) {
			this.#looksFirst = true;
			this.#onUselessConditions?.();
		}
	}

	/** The condition of a write; where the server cannot keep it, we look just before, which is nearly as good. */
	async #usableCondition({key, signal}: UploadRequest, condition: WriteCondition): Promise<WriteCondition> {
		if (!this.#looksFirst || condition.ifMatch === undefined) {
			return condition;
		}

		if ((await this.#store.head(key, {signal}))?.etag !== condition.ifMatch) {
			throw new StoreError('preconditionFailed', `Uploading ${key}: it was changed meanwhile`);
		}

		return {};
	}

	/**
	Whether an object is what an earlier try made of this layer: its attributes are the same, with a
	modification time to the nanosecond. Where they do not hold one, the bytes must be the same.
	*/
	async #isSameUpload(current: ObjectHead, {layer, metadata}: UploadRequest): Promise<boolean> {
		const keys = new Set([...Object.keys(current.metadata), ...Object.keys(metadata)]);
		const isMoved = current.sizeBytes !== layer.sizeBytes;
		if (
			(isMoved && (layer.appendedFrom === undefined || current.sizeBytes < layer.sizeBytes - layer.appendedFrom)) ||
			![...keys].every(key => current.metadata[key] === metadata[key])
		) {
			return false;
		}

		return 'file-mtime' in metadata || this.#hasSameBytes(current, layer);
	}

	async #hasSameBytes(current: ObjectHead, layer: StagedLayer): Promise<boolean> {
		const movedBytes = current.sizeBytes - layer.sizeBytes;
		// Positions before anything is waited for: the layer may be displaced meanwhile, which its bytes on the disk are not.
		for (const {start, end, source, position} of layer
			.slice(layer.appendedFrom ?? 0, layer.sizeBytes)
			.map(piece => ({...piece, position: layer.positionOf(piece.start)}))) {
			for (let offset = start; source?.kind === 'local' && offset < end; offset += memoryUnitBytes) {
				const [local, stored] = [
					Buffer.alloc(Math.min(memoryUnitBytes, end - offset)),
					Buffer.alloc(Math.min(memoryUnitBytes, end - offset)),
				];
				await layer.read(position + offset - start, local);
				await this.#readObject(current, offset + movedBytes, stored);
				if (!local.equals(stored)) {
					return false;
				}
			}
		}

		return true;
	}

	async #write(
		request: UploadRequest,
		content: readonly ContentPiece[],
		condition: WriteCondition,
	): Promise<PutResult> {
		const {key, metadata, contentType, signal, stopSignal} = request;
		const plan = planUpload(content, {partBytes: this.#partBytes});
		switch (plan.kind) {
			case 'copy': {
				return this.#store.copy(plan.object, key, {...condition, replace: {metadata, contentType}, signal});
			}

			case 'put': {
				return this.#withBytes(request.layer, plan.pieces, plan.bytes, async bytes => {
					throwIfStopped(request);
					return this.#store.put(key, bytes, {...condition, metadata, contentType, signal});
				});
			}

			case 'multipart': {
				const partSignal = AbortSignal.any([signal, stopSignal].filter(one => one !== undefined));
				const upload = await this.#store.createMultipartUpload(key, {metadata, contentType, signal: partSignal});
				try {
					const parts = await this.#sendParts({...request, signal: partSignal}, upload, plan.parts);
					throwIfStopped(request);
					return await this.#store.completeMultipartUpload(upload, parts, {...condition, signal});
				} catch (error) {
					// What failed is what the caller must hear of; parts that stay are removed by the bucket's lifecycle rule.
					await this.#store.abortMultipartUpload(upload).catch(() => undefined);
					throw error;
				}
			}
		}
	}

	async #sendParts(
		request: UploadRequest,
		upload: MultipartUpload,
		parts: readonly PlannedPart[],
	): Promise<UploadedPart[]> {
		const uploaded: UploadedPart[] = [];
		await forEachParallel(parts.entries(), partsAtOnceMax, async ([index, part]) => {
			uploaded[index] = await this.#sendPart(request, upload, index + 1, part);
		});
		return uploaded;
	}

	async #sendPart(
		request: UploadRequest,
		upload: MultipartUpload,
		partNumber: number,
		part: PlannedPart,
	): Promise<UploadedPart> {
		const {signal} = request;
		switch (part.kind) {
			case 'copy': {
				return this.#store.uploadPartCopy(
					upload,
					partNumber,
					part.object,
					{start: part.start, end: part.end},
					{signal},
				);
			}

			case 'send': {
				return this.#withBytes(request.layer, part.pieces, part.bytes, async bytes =>
					this.#store.uploadPart(upload, partNumber, bytes, {signal}),
				);
			}
		}
	}

	async #withBytes<Result>(
		layer: StagedLayer,
		pieces: readonly ContentPiece[],
		bytes: number,
		send: (bytes: Uint8Array) => Promise<Result>,
	): Promise<Result> {
		return this.#memory.run(
			async () => {
				const isPart = bytes === this.#partBytes;
				const buffer =
					(isPart ? this.#buffers.pop() : undefined) ??
					(bytes < smallBytes ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes));
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
					if (isPart && this.#buffers.length * this.#partBytes < this.#memoryUnits * memoryUnitBytes) {
						this.#buffers.push(buffer);
					}
				}
			},
			Math.ceil(bytes / memoryUnitBytes),
		);
	}
}

const throwIfStopped = ({key, stopSignal}: UploadRequest): void => {
	if (stopSignal?.aborted === true) {
		throw new StoreError('aborted', `Uploading ${key} was cancelled`);
	}
};

/** So many refusals of a condition that holds, and the server is believed not to know it. */
const refusalCountMax = 3;
const attemptCountMax = 60;
const eagerAttemptCount = 4;
const retryDelayMsMax = 300;
const partsAtOnceMax = 6;
const memoryUnitBytes = 2 ** 20;
const smallBytes = 2 ** 18;

const wholeOf = (object: ObjectHead): ContentPiece[] =>
	object.sizeBytes === 0 ? [] : [{bytes: object.sizeBytes, source: {kind: 'object', object, offset: 0}}];

/** The part [start, end) of a content. */
const cutContent = (content: readonly ContentPiece[], start: number, end: number): ContentPiece[] => {
	const pieces: ContentPiece[] = [];
	let position = 0;
	for (const piece of content) {
		const from = Math.max(start, position);
		const to = Math.min(end, position + piece.bytes);
		if (from < to) {
			const skip = from - position;
			pieces.push({
				bytes: to - from,
				source: piece.source.kind === 'zero' ? piece.source : {...piece.source, offset: piece.source.offset + skip},
			});
		}

		position += piece.bytes;
	}

	return pieces;
};
