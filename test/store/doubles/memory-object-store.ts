import assert from 'node:assert/strict';
import {isStoreError, StoreError} from '../../../src/model/store-error.ts';
import {throwIfAborted} from '../../../src/store/abort.ts';
import {formatBlockSums, sumBody} from '../../../src/store/block-sums.ts';
import {md5Hex, toMultipartEtag} from '../../../src/store/etag.ts';
import {assertCopy, assertKeyLength, assertRange} from '../../../src/store/key-rules.ts';
import {listVersions} from './memory-listing.ts';
import {MemoryMultipartUploads} from './memory-multipart-uploads.ts';
import {MemoryVersions, type StoredVersion} from './memory-versions.ts';
import {assertMetadata} from '../../../src/store/metadata-rules.ts';
import type {
	ByteRange,
	CopyRequest,
	CopySource,
	DeletedObject,
	GetRequest,
	GetResult,
	ListPage,
	ListRequest,
	MultipartUpload,
	ObjectHead,
	ObjectStore,
	PutRequest,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from '../../../src/store/object-store.ts';
import type {WriteBody} from '../../../src/store/write-body.ts';
import {copyBytes} from './copy-bytes.ts';

type MemoryObjectStoreOptions = {
	/** Keeps every version, as a versioned bucket does. Default: false. */
	readonly isVersioned?: boolean;
	/** The server's clock. Default: the system's. */
	readonly nowMs?: () => number;
};

type CallOptions = {readonly signal?: AbortSignal | undefined};

/**
An object store in memory: strongly consistent, each call atomic, and as strict as S3 about conditions, parts and
keys. As on most servers, HEAD and GET know the time of a version to the second, and LIST to the millisecond.
*/
export const createMemoryObjectStore = (options: MemoryObjectStoreOptions = {}): MemoryObjectStore =>
	new MemoryObjectStore(options);

export class MemoryObjectStore implements ObjectStore {
	readonly #versions: MemoryVersions;
	readonly #uploads = new MemoryMultipartUploads();
	readonly #nowMs: () => number;
	#isClosed = false;

	constructor({isVersioned = false, nowMs = Date.now}: MemoryObjectStoreOptions = {}) {
		this.#versions = new MemoryVersions(isVersioned);
		this.#nowMs = nowMs;
	}

	/** How many multipart uploads were begun and neither completed nor aborted. */
	get openUploadCount(): number {
		return this.#uploads.count;
	}

	async head(key: string, options?: CallOptions): Promise<ObjectHead | undefined> {
		this.#begin('look up', key, options);
		assertKeyLength(key);
		const version = this.#versions.find(key);
		return version === undefined ? undefined : toHeadAnswer(version.head);
	}

	async get(key: string, {range, ifMatch, versionId, signal}: GetRequest = {}): Promise<GetResult | undefined> {
		this.#begin('read', key, {signal});
		assertKeyLength(key);
		const version = this.#versions.find(key, versionId);
		if (version?.bytes === undefined) {
			return undefined;
		}

		assertEtag(`read "${key}"`, version, ifMatch);
		const bytes = range === undefined ? version.bytes : sliceRange(version.bytes, key, range);
		return {object: toHeadAnswer(version.head), body: yieldPieces(bytes, key, signal)};
	}

	async list(request: ListRequest): Promise<ListPage> {
		this.#begin('list', request.prefix, request);
		return listVersions(this.#versions, request);
	}

	async put(key: string, body: WriteBody, request: PutRequest = {}): Promise<PutResult> {
		this.#begin('write', key, request);
		assertKeyLength(key);
		assertMetadata(request.metadata);
		this.#checkCondition(`write "${key}"`, key, request);
		const bytes = copyBytes(body);
		return this.#add(key, {bytes, etag: md5Hex(bytes), attributes: {...request, ...toBlockSums(bytes)}});
	}

	async copy(source: CopySource, key: string, request: CopyRequest = {}): Promise<PutResult> {
		this.#begin('copy to', key, request);
		assertKeyLength(key);
		const action = `copy "${source.key}" to "${key}"`;
		assertCopy(source, key, request);
		assertMetadata(request.replace?.metadata);
		const {head, bytes} = this.#findSource(action, source);
		this.#checkCondition(action, key, request);
		return this.#add(key, {
			bytes,
			etag: md5Hex(bytes),
			attributes: request.replace ?? {...head, keptWriteIds: head.writeIds},
		});
	}

	async delete(key: string, options?: CallOptions & {ifMatch?: string | undefined}): Promise<void> {
		this.#begin('delete', key, options);
		assertKeyLength(key);
		assertEtag(`delete "${key}"`, this.#versions.find(key), options?.ifMatch);
		if (options?.ifMatch !== undefined && this.#versions.find(key) === undefined) {
			return;
		}

		if (this.#versions.isVersioned) {
			this.#versions.add({head: this.#toHead(key, {sizeBytes: 0, etag: '', attributes: {}}), bytes: undefined});
		} else {
			this.#versions.remove(key);
		}
	}

	async deleteMany(
		objects: readonly DeletedObject[],
		options?: CallOptions,
	): Promise<ReadonlyArray<{key: string; error: Error}>> {
		assert(objects.length <= 1000, `deleteMany() takes up to 1000 keys: current count is ${objects.length}`);
		const failed: Array<{key: string; error: Error}> = [];
		for (const {key, etag} of objects) {
			try {
				await this.delete(key, {...options, ifMatch: etag});
			} catch (error) {
				if (!isStoreError(error, 'preconditionFailed')) {
					throw error;
				}

				failed.push({key, error});
			}
		}

		return failed;
	}

	async createMultipartUpload(key: string, request: WriteAttributes & CallOptions = {}): Promise<MultipartUpload> {
		this.#begin('begin the upload of', key, request);
		assertKeyLength(key);
		assertMetadata(request.metadata);
		return this.#uploads.create(key, request);
	}

	async uploadPart(
		upload: MultipartUpload,
		partNumber: number,
		body: WriteBody,
		options?: CallOptions,
	): Promise<UploadedPart> {
		this.#begin('upload a part of', upload.key, options);
		return this.#uploads.storePart(upload, partNumber, copyBytes(body));
	}

	async uploadPartCopy(
		upload: MultipartUpload,
		partNumber: number,
		source: CopySource,
		range: ByteRange,
		options?: CallOptions,
	): Promise<UploadedPart> {
		this.#begin('copy a part of', upload.key, options);
		const {bytes} = this.#findSource(`copy a part of "${source.key}" to "${upload.key}"`, source);
		return this.#uploads.storePart(upload, partNumber, sliceRange(bytes, source.key, range));
	}

	async completeMultipartUpload(
		upload: MultipartUpload,
		parts: readonly UploadedPart[],
		condition: WriteCondition & CallOptions = {},
	): Promise<PutResult> {
		this.#begin('complete the upload of', upload.key, condition);
		const current = this.#versions.find(upload.key)?.head;
		if (
			!this.#uploads.has(upload) &&
			current !== undefined &&
			current.etag === toMultipartEtag(parts.map(part => part.etag))
		) {
			return {etag: current.etag, versionId: current.versionId}; // An earlier call did it, and its answer was lost.
		}

		const {attributes} = this.#uploads.find(upload);
		const assembled = this.#uploads.assemble(upload, parts);
		this.#checkCondition(`complete the upload of "${upload.key}"`, upload.key, condition);
		this.#uploads.forget(upload);
		return this.#add(upload.key, {...assembled, attributes});
	}

	async abortMultipartUpload(upload: MultipartUpload, options?: CallOptions): Promise<void> {
		this.#begin('abort the upload of', upload.key, options);
		this.#uploads.forget(upload);
	}

	async close(): Promise<void> {
		this.#isClosed = true;
	}

	#begin(action: string, key: string, options: CallOptions | undefined): void {
		if (this.#isClosed) {
			throw new StoreError('invalidRequest', `Cannot ${action} "${key}": the store is closed`);
		}

		throwIfAborted(`${action} "${key}"`, options?.signal);
	}

	#checkCondition(action: string, key: string, {ifMatch, ifNoneMatch}: WriteCondition): void {
		const current = this.#versions.find(key);
		if (ifNoneMatch !== undefined && current !== undefined) {
			throw new StoreError('preconditionFailed', `Cannot ${action}: "${key}" exists already`);
		}

		if (ifMatch !== undefined && current === undefined) {
			throw new StoreError('notFound', `Cannot ${action}: "${key}" does not exist, and etag ${ifMatch} was asked for`);
		}

		assertEtag(action, current, ifMatch);
	}

	#findSource(action: string, source: CopySource): {head: ObjectHead; bytes: Uint8Array} {
		const version = this.#versions.find(source.key, source.versionId);
		if (version?.bytes === undefined) {
			throw new StoreError('notFound', `Cannot ${action}: "${source.key}" does not exist`);
		}

		assertEtag(action, version, source.etag);
		return {head: version.head, bytes: version.bytes};
	}

	#add(
		key: string,
		{bytes, etag, attributes}: {bytes: Uint8Array; etag: string; attributes: WriteAttributes},
	): PutResult {
		const head = this.#toHead(key, {sizeBytes: bytes.length, etag, attributes});
		this.#versions.add({head, bytes});
		return {etag, versionId: head.versionId, ...(head.blockSums === undefined ? {} : {blockSums: head.blockSums})};
	}

	#toHead(
		key: string,
		{sizeBytes, etag, attributes}: {sizeBytes: number; etag: string; attributes: WriteAttributes},
	): ObjectHead {
		return {
			key,
			etag,
			sizeBytes,
			versionId: this.#versions.nextVersionId(),
			lastModifiedMs: this.#nowMs(),
			metadata: Object.freeze({...attributes.metadata}),
			contentType: attributes.contentType ?? 'binary/octet-stream',
			...toWriteIds(attributes),
			...(attributes.blockSums === undefined ? {} : {blockSums: attributes.blockSums}),
		};
	}
}

const toBlockSums = (bytes: Uint8Array): {blockSums?: string} => {
	const sums = sumBody(bytes);
	return sums === undefined ? {} : {blockSums: formatBlockSums(sums)};
};

const toWriteIds = ({writeId, keptWriteIds = []}: WriteAttributes): {writeIds?: readonly string[]} => {
	const writeIds = [...(writeId === undefined ? [] : [writeId]), ...keptWriteIds].slice(0, 16);
	return writeIds.length === 0 ? {} : {writeIds};
};

const toHeadAnswer = (head: ObjectHead): ObjectHead => ({
	...head,
	lastModifiedMs: Math.floor(head.lastModifiedMs / 1000) * 1000,
});

const assertEtag = (action: string, version: StoredVersion | undefined, etag: string | undefined): void => {
	if (etag !== undefined && version !== undefined && version.head.etag !== etag) {
		throw new StoreError(
			'preconditionFailed',
			`Cannot ${action}: the etag is ${version.head.etag}, and ${etag} was asked for`,
		);
	}
};

const sliceRange = (bytes: Uint8Array, key: string, range: ByteRange): Uint8Array => {
	assertRange(key, range);
	const {start, end} = range;
	if (end > bytes.length) {
		throw new StoreError('invalidRequest', `Cannot read "${key}" up to byte ${end}: it has ${bytes.length} bytes`);
	}

	return bytes.subarray(start, end);
};

/** At least three pieces where there are three bytes, so that nobody relies on a body in one piece. */
async function* yieldPieces(
	bytes: Uint8Array,
	key: string,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
	const pieceBytes = Math.min(65_536, Math.max(1, Math.ceil(bytes.length / 3)));
	for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
		throwIfAborted(`read "${key}"`, signal);
		yield bytes.slice(offset, offset + pieceBytes);
	}
}
