import {StoreError, isStoreError} from '../model/store-error.ts';
import {throwIfAborted} from '../store/abort.ts';
import type {Metadata, ObjectHead, ObjectStore, PutResult, WriteCondition} from '../store/object-store.ts';
import {type ContentPiece, type ReadObject, contentBytes, cutContent, pieceOfObject} from './content-piece.ts';
import type {BegunUpload, ContentWriter} from './content-writer.ts';
import {isSameUpload} from './is-same-upload.ts';
import {outOfStep} from './out-of-step.ts';
import type {StagedLayer} from './staged-layer.ts';
import {findWrite, toWriteId} from './write-id.ts';

export type UploadRequest = {
	readonly key: string;
	/** The object that the layer lies on and that we expect to replace; `undefined`: we expect that there is none. */
	readonly base: ObjectHead | undefined;
	readonly layer: StagedLayer;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
	/** When the layer was sealed; a part of its identity. */
	readonly sealedAtMs?: number | undefined;
	/** Its identity from before other layers were merged into it. */
	readonly writeHash?: string | undefined;
	/** An earlier try, or an earlier run that died, may have stored it without learning of it. */
	readonly mayBeStored?: boolean | undefined;
	/** An upload of the layer that has begun while it was written. */
	readonly begun?: BegunUpload | undefined;
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
	/** It was stored, and somebody else has made another version of it since: `head` is gone, its etag a stand-in. */
	readonly isSuperseded?: boolean | undefined;
};

/**
Puts sealed layers into S3. Every write carries a condition, so that a change by somebody else is noticed:
bytes that were only appended go behind the new end; otherwise the last close wins, and the outcome says so.
*/
export class Uploader {
	readonly #store: ObjectStore;
	readonly #writer: ContentWriter;
	readonly #readObject: ReadObject;
	readonly #onUselessConditions: (() => void) | undefined;
	/** The server refuses conditions that hold: the object is compared just before each write instead. */
	#checksBeforeWrite = false;

	constructor(options: {
		store: ObjectStore;
		writer: ContentWriter;
		/** For comparisons with what an earlier try has stored. */
		readObject: ReadObject;
		/** Called once, when the server turns out to refuse conditions that hold. */
		onUselessConditions?: () => void;
	}) {
		this.#store = options.store;
		this.#writer = options.writer;
		this.#readObject = options.readObject;
		this.#onUselessConditions = options.onUselessConditions;
	}

	/** One file. Fails with `preconditionFailed` when bytes that the new object needs are gone from S3. */
	async upload(request: UploadRequest): Promise<UploadOutcome> {
		let content = request.layer.content(request.base);
		let keptWriteIds = request.base?.writeIds ?? [];
		let condition: WriteCondition = request.base === undefined ? {ifNoneMatch: '*'} : {ifMatch: request.base.etag};
		let expectedEtag = request.base?.etag;
		let movedBytes = 0;
		let hasConflict = false;
		let refusedCount = 0;
		for (let attempt = 1; ; attempt++) {
			throwIfAborted(`upload ${request.key}`, request.stopSignal);
			await outOfStep(attempt);
			const {appendedFrom} = request.layer;
			const writeId = toWriteId(request, appendedFrom === undefined ? undefined : appendedFrom + movedBytes);
			const ids = {writeId, keptWriteIds};
			try {
				const {key, metadata, contentType, begun, signal, stopSignal} = request;
				const result = await this.#writer.write(key, content, {
					...(await this.#usableCondition(request, condition)),
					...{metadata, contentType, begun, signal, stopSignal, ...ids},
				});
				return {head: toHead(request, content, result, ids), movedBytes, hasConflict};
			} catch (error) {
				if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= attemptCountMax) {
					throw error;
				}

				const current = await this.#store.head(request.key, {signal: request.signal});
				if (current?.etag === expectedEtag) {
					await this.#assertSources(content, request, error);
					// Bytes and target are as we expect them: a racing write held up the request and is gone (409), or the
					// parts were; or the server always refuses.
					this.#noteRefusal(condition, ++refusedCount);
					continue;
				}

				const stored = current === undefined ? undefined : toStored(current, request);
				if (stored !== undefined) {
					return stored;
				}

				if (
					current !== undefined &&
					request.mayBeStored === true &&
					(await isSameUpload(current, request, this.#readObject))
				) {
					return {head: current, movedBytes: current.sizeBytes - request.layer.sizeBytes, hasConflict: false};
				}

				expectedEtag = current?.etag;
				condition = current === undefined ? {ifNoneMatch: '*'} : {ifMatch: current.etag};
				if (appendedFrom === undefined) {
					hasConflict = true;
				} else {
					movedBytes = (current?.sizeBytes ?? 0) - appendedFrom;
					content = appendTo(current, request, appendedFrom);
					keptWriteIds = current?.writeIds ?? [];
				}
			}
		}
	}

	/** Fails when an object that a content names is not the version any more that is meant. */
	async #assertSources(content: readonly ContentPiece[], {key, signal}: UploadRequest, cause: unknown): Promise<void> {
		const objects = new Map(
			content.flatMap(({source}) => (source.kind === 'object' ? [[source.object.key, source.object] as const] : [])),
		);
		for (const object of objects.values()) {
			if (object.versionId === undefined && (await this.#store.head(object.key, {signal}))?.etag !== object.etag) {
				throw new StoreError(
					'preconditionFailed',
					`Cannot upload ${key}: bytes that the new version needs were changed or deleted in S3 meanwhile, and the bucket has no old versions of them`,
					{cause},
				);
			}
		}
	}

	/**
	A server that refuses a condition again and again although it holds does not know it: Ceph 16 refuses every
	If-Match in a versioned bucket.
	*/
	#noteRefusal({ifMatch}: WriteCondition, refusedCount: number): void {
		if (ifMatch !== undefined && refusedCount >= refusalCountMax && !this.#checksBeforeWrite) {
			this.#checksBeforeWrite = true;
			this.#onUselessConditions?.();
		}
	}

	/** The condition of a write; where the server cannot keep it, we look just before, which is nearly as good. */
	async #usableCondition({key, signal}: UploadRequest, condition: WriteCondition): Promise<WriteCondition> {
		if (!this.#checksBeforeWrite || condition.ifMatch === undefined) {
			return condition;
		}

		if ((await this.#store.head(key, {signal}))?.etag !== condition.ifMatch) {
			throw new StoreError('preconditionFailed', `Cannot upload ${key}: it was changed in S3 meanwhile`);
		}

		return {};
	}
}

type WriteIds = {readonly writeId: string; readonly keptWriteIds: readonly string[]};

const toHead = (
	{key, metadata, contentType}: UploadRequest,
	content: readonly ContentPiece[],
	result: PutResult,
	{writeId, keptWriteIds}: WriteIds,
): ObjectHead => ({
	key,
	metadata,
	contentType,
	writeIds: [writeId, ...keptWriteIds],
	sizeBytes: contentBytes(content),
	lastModifiedMs: Date.now(),
	isFromAnswer: true,
	...result,
});

/** The outcome of a write whose answer was lost, when the object of now shows that it was carried out. */
const toStored = (current: ObjectHead, request: UploadRequest): UploadOutcome | undefined => {
	const write = findWrite(current, request);
	if (write === undefined) {
		return undefined;
	}

	const {sizeBytes, appendedFrom} = request.layer;
	const movedBytes = write.appendedAt === undefined || appendedFrom === undefined ? 0 : write.appendedAt - appendedFrom;
	if (write.isNewest) {
		return {head: current, movedBytes, hasConflict: false};
	}

	// What we stored is not what S3 has now. Layers above lie on ours, so that what they do not change is not taken from
	// the other's version; its etag is no object's, so that their upload sees the other's change.
	const head = {...current, etag: `superseded-${write.appendedAt ?? 0}`, versionId: undefined};
	return {head: {...head, sizeBytes: sizeBytes + movedBytes}, movedBytes, hasConflict: false, isSuperseded: true};
};

/** What was appended here behind the object as somebody else made it. */
const appendTo = (
	current: ObjectHead | undefined,
	{layer, base}: UploadRequest,
	appendedFrom: number,
): ContentPiece[] => [
	...(current === undefined || current.sizeBytes === 0 ? [] : [pieceOfObject(current, 0, current.sizeBytes)]),
	...cutContent(layer.content(base), appendedFrom, layer.sizeBytes),
];

/** After this many refusals of a condition that holds, assume that the server does not support conditions. */
const refusalCountMax = 3;
const attemptCountMax = 60;
