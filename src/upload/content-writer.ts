import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import {throwIfAborted} from '../store/abort.ts';
import {summedBytesMax} from '../store/block-sums.ts';
import type {
	Metadata,
	MultipartUpload,
	ObjectStore,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from '../store/object-store.ts';
import {type ContentPiece, type ReadObject, contentBytes, pieceOfObject, readContent} from './content-piece.ts';
import {sumContent} from './content-sums.ts';
import type {NotedUploads} from './noted-uploads.ts';
import {PartBuffers} from './part-buffers.ts';
import {storeInParts} from './store-in-parts.ts';
import {type PlannedPart, planUpload} from './upload-plan.ts';

export type CompleteRequest = WriteCondition & {
	readonly sizeBytes: number;
	/** Ends the request that makes the object visible. */
	readonly signal: AbortSignal | undefined;
	/** Gives up until all parts are there. */
	readonly partSignal: AbortSignal;
};

/** An upload in parts of a content that has begun before it was asked for. */
export type BegunUpload = {
	/** Whether its completion makes such an object of the content that it is of. */
	fits(key: string, attributes: WriteAttributes, sizeBytes: number): boolean;
	/** Sends what is missing, and makes the object visible. After `preconditionFailed` it may be called again. */
	complete(request: CompleteRequest): Promise<PutResult>;
};

export type ContentRequest = WriteCondition & {
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
	readonly writeId: string;
	readonly keptWriteIds: readonly string[];
	/** Of this content, unless it names bytes of objects. */
	readonly begun?: BegunUpload | undefined;
	readonly signal?: AbortSignal | undefined;
	readonly stopSignal?: AbortSignal | undefined;
};

/** Makes objects of contents: by one request, by a copy on the server, or in parts. */
export class ContentWriter {
	readonly partBytes: number;
	/** Objects above this size have no checksums of blocks. */
	readonly summedBytesMax: number;
	readonly #store: ObjectStore;
	readonly #uploads: NotedUploads | ObjectStore;
	readonly #readObject: ReadObject;
	readonly #buffers: PartBuffers;
	/** The server takes parts of one size only (Cloudflare R2). */
	#hasEqualParts = false;

	constructor(options: {
		store: ObjectStore;
		/** Default: the store. */
		uploads?: NotedUploads | undefined;
		/** For bytes of objects that a part needs and the server cannot copy (below 5 MiB, or at a border). */
		readObject: ReadObject;
		partBytes: number;
		/** Bounds the bytes of parts on their way, of all files together. */
		memoryBytesMax: number;
		/** Objects above this size have no checksums of blocks. Default: where the format ends. */
		summedBytesMax?: number | undefined;
	}) {
		this.#store = options.store;
		this.#uploads = options.uploads ?? options.store;
		this.#readObject = options.readObject;
		this.partBytes = options.partBytes;
		this.summedBytesMax = options.summedBytesMax ?? summedBytesMax;
		this.#buffers = new PartBuffers({partBytes: options.partBytes, bytesMax: options.memoryBytesMax});
	}

	get hasEqualParts(): boolean {
		return this.#hasEqualParts;
	}

	/** Fails with `preconditionFailed` when the condition does not hold, or bytes of objects are gone. */
	async write(key: string, content: readonly ContentPiece[], request: ContentRequest): Promise<PutResult> {
		try {
			return await this.#writeOnce(key, content, request);
		} catch (error) {
			if (this.#hasEqualParts || !isOfUnequalParts(error)) {
				throw error;
			}

			this.#hasEqualParts = true;
			return this.#writeOnce(key, content, request);
		}
	}

	/** Sends a part. Its pieces are asked for when there is memory for its bytes. */
	async sendBytes(
		upload: MultipartUpload,
		partNumber: number,
		part: {bytes: number; pieces: () => readonly ContentPiece[]; signal: AbortSignal},
	): Promise<UploadedPart> {
		return this.#withBytes(part.pieces, part.bytes, async bytes =>
			this.#store.uploadPart(upload, partNumber, bytes, {signal: part.signal}),
		);
	}

	async #writeOnce(
		key: string,
		content: readonly ContentPiece[],
		{begun, signal, stopSignal, ...request}: ContentRequest,
	): Promise<PutResult> {
		const plan = planUpload(content, {partBytes: this.partBytes, hasEqualParts: this.#hasEqualParts});
		switch (plan.kind) {
			case 'copy': {
				const {ifMatch, ifNoneMatch, ...attributes} = request;
				const {blockSums} = plan.object;
				return this.#store.copy(plan.object, key, {
					...{ifMatch, ifNoneMatch, signal},
					replace: {...attributes, blockSums},
				});
			}

			case 'put': {
				return this.#withBytes(
					() => plan.pieces,
					plan.bytes,
					async bytes => {
						throwIfAborted(`upload ${key}`, stopSignal);
						return this.#store.put(key, bytes, {...request, signal});
					},
				);
			}

			case 'multipart': {
				const partSignal = AbortSignal.any([signal, stopSignal].filter(one => one !== undefined));
				return this.#storeParts(key, content, {...request, begun, parts: plan.parts, signal, partSignal});
			}
		}
	}

	async #storeParts(
		key: string,
		content: readonly ContentPiece[],
		{
			begun,
			parts,
			...request
		}: ContentRequest & {readonly parts: readonly PlannedPart[]; readonly partSignal: AbortSignal},
	): Promise<PutResult> {
		const {signal, partSignal, ifMatch, ifNoneMatch, ...attributes} = request;
		const sizeBytes = contentBytes(content);
		const blockSums = sizeBytes > this.summedBytesMax ? undefined : await this.#sum(content, parts);
		throwIfAborted(`upload ${key}`, partSignal);
		const hasObjects = content.some(({source}) => source.kind === 'object');
		if (!hasObjects && begun?.fits(key, {...attributes, blockSums}, sizeBytes) === true) {
			return begun.complete({sizeBytes, ifMatch, ifNoneMatch, signal, partSignal});
		}

		return storeInParts(this.#uploads, key, {
			...request,
			blockSums,
			parts,
			partsAtOnceMax,
			sendPart: async (upload, partNumber, part) => this.#sendPart(upload, partNumber, part, partSignal),
		});
	}

	/** The checksums of a content that goes up in these parts. */
	async #sum(content: readonly ContentPiece[], parts: readonly PlannedPart[]): Promise<string | undefined> {
		await this.#fetchNeighbours(parts);
		return sumContent(content, {
			readObject: this.#readObject,
			partCount: parts.length,
			lend: async (bytes, task) => this.#buffers.lend(bytes, task),
		});
	}

	/**
	A changed stretch needs some of what is around it, to be a part and to be summed: of the stretches of objects in parts
	that are sent, each is asked for once. The cache has them afterwards.
	*/
	async #fetchNeighbours(parts: readonly PlannedPart[]): Promise<void> {
		const mixed = parts.flatMap(part => (part.kind === 'send' ? toNeighbours(part) : []));
		if (contentBytes(mixed) <= fetchedBytesMax) {
			await forEachParallel(mixed, partsAtOnceMax, async piece => {
				await this.#withBytes(
					() => [piece],
					piece.bytes,
					async () => undefined,
				);
			});
		}
	}

	async #sendPart(
		upload: MultipartUpload,
		partNumber: number,
		part: PlannedPart,
		signal: AbortSignal,
	): Promise<UploadedPart> {
		switch (part.kind) {
			case 'copy': {
				const {object, start, end} = part;
				return this.#store.uploadPartCopy(upload, partNumber, object, {start, end}, {signal});
			}

			case 'send': {
				return this.sendBytes(upload, partNumber, {bytes: part.bytes, pieces: () => part.pieces, signal});
			}
		}
	}

	async #withBytes<Result>(
		pieces: () => readonly ContentPiece[],
		bytes: number,
		send: (bytes: Uint8Array) => Promise<Result>,
	): Promise<Result> {
		return this.#buffers.lend(bytes, async buffer => {
			await readContent(pieces(), buffer, this.#readObject);
			return send(buffer);
		});
	}
}

/** The stretches of objects in a part; as one where they are of one object, a little apart. */
const toNeighbours = ({bytes, pieces}: Extract<PlannedPart, {kind: 'send'}>): ContentPiece[] => {
	const stretches = pieces.filter(({source}) => source.kind === 'object');
	const [first, last] = [stretches[0], stretches.at(-1)];
	if (first?.source.kind !== 'object' || last?.source.kind !== 'object') {
		return [];
	}

	const {object, objectOffset: start} = first.source;
	const end = last.source.objectOffset + last.bytes;
	return last.source.object === object && end > start && end - start <= bytes
		? [pieceOfObject(object, start, end)]
		: stretches;
};

/** How Cloudflare R2 refuses it: "All non-trailing parts must have the same length." */
const isOfUnequalParts = (error: unknown): boolean =>
	isStoreError(error, 'invalidRequest') && error.s3Code === 'InvalidPart' && /same length/.test(error.message);

const partsAtOnceMax = 6;
/** Of more than that, the cache may not keep all until it is used. */
const fetchedBytesMax = 2 ** 24;
