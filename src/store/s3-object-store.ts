import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {isStoreError, StoreError} from '../model/store-error.ts';
import {toMultipartEtag} from './etag.ts';
import {assertCopy, assertKeyLength, assertRange} from './key-rules.ts';
import {assertMetadata} from './metadata-rules.ts';
import {assertPartNumber} from './multipart-rules.ts';
import type {
	ByteRange,
	CopyRequest,
	CopySource,
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
} from './object-store.ts';
import {readBody} from './s3-body.ts';
import {S3Connection, type S3Answer, type S3ConnectionOptions, type S3Request} from './s3-connection.ts';
import {toCopyConfirmation} from './s3-copy-confirmation.ts';
import {isBatchKey, sendDeleteObjects, type FailedKey} from './s3-delete-many.ts';
import {parseListing, unquoteEtag} from './s3-listing.ts';
import {toAttributeHeaders, toObjectHead, toPutResult, writeIdHeader, wholeCrc32Of} from './s3-object-head.ts';
import {encodeKey, encodeUri} from './s3-signer.ts';
import {findXmlText} from './s3-xml.ts';
import {toCrc32Base64, toPieces, type WriteBody} from './write-body.ts';

export type S3ObjectStoreOptions = S3ConnectionOptions & {
	/** Empty, or ending in a slash: put before every key, and taken off every answer. Callers never see it. */
	readonly keyPrefix?: string | undefined;
};

type CallOptions = {readonly signal?: AbortSignal | undefined};

/** The objects of one bucket (below one prefix) on any server that speaks S3. */
export const createS3ObjectStore = (options: S3ObjectStoreOptions): ObjectStore => new S3ObjectStore(options);

/** How many single deletions run at once for keys that no batch can name. */
const singleDeletionCountMax = 16;

class S3ObjectStore implements ObjectStore {
	readonly #connection: S3Connection;
	readonly #bucket: string;
	readonly #keyPrefix: string;

	constructor({keyPrefix = '', ...options}: S3ObjectStoreOptions) {
		assert(
			keyPrefix === '' || keyPrefix.endsWith('/'),
			`A key prefix must end in a slash: current value is "${keyPrefix}"`,
		);
		this.#connection = new S3Connection(options);
		this.#bucket = options.bucket;
		this.#keyPrefix = keyPrefix;
	}

	async head(key: string, {signal}: CallOptions = {}): Promise<ObjectHead | undefined> {
		const request = {
			operation: 'HeadObject',
			action: `look up "${key}"`,
			method: 'HEAD',
			key: this.#toKey(key),
			signal,
		} as const;
		try {
			const {headers} = await this.#connection.send(request);
			return toObjectHead(key, headers);
		} catch (error) {
			if (isStoreError(error, 'notFound')) {
				return undefined;
			}

			throw await this.#explainHead(request, error);
		}
	}

	async get(key: string, {range, ifMatch, versionId, signal}: GetRequest = {}): Promise<GetResult | undefined> {
		if (range !== undefined) {
			assertRange(key, range);
		}

		const action = `read "${key}"`;
		const answer = await this.#unlessAbsent(
			{
				operation: 'GetObject',
				action,
				signal,
				method: 'GET',
				key: this.#toKey(key),
				query: {versionId},
				answerBody: 'stream',
				// S3 keeps a checksum of the whole object: it is of no use for a part of it.
				headers: {
					'if-match': ifMatch,
					...(range === undefined
						? {'x-amz-checksum-mode': 'ENABLED'}
						: {range: `bytes=${range.start}-${range.end - 1}`}),
				},
			},
			{isVersion: versionId !== undefined},
		);
		if (answer?.stream === undefined) {
			return undefined;
		}

		const {headers, stream} = answer;
		const object = toObjectHead(key, headers);
		const announcedBytes = Number(headers['content-length'] ?? Number.NaN);
		if (range !== undefined && announcedBytes !== range.end - range.start) {
			stream.destroy();
			throw new StoreError(
				'invalidRequest',
				`Cannot ${action} from byte ${range.start} to ${range.end}: the server has ${announcedBytes} bytes there, and ${object.sizeBytes} in all`,
			);
		}

		const body = readBody(stream, {
			action,
			signal,
			expectedCrc32: range === undefined ? wholeCrc32Of(headers) : undefined,
			freesPieces: true,
			silenceMs: this.#connection.silenceMs,
			expectedBytes: Number.isNaN(announcedBytes) ? undefined : announcedBytes,
		});
		return {object, body};
	}

	async list({
		prefix,
		delimiter,
		startAfter,
		continuationToken,
		countMax = 1000,
		signal,
	}: ListRequest): Promise<ListPage> {
		assert(countMax >= 1 && countMax <= 1000, `A page has 1 to 1000 entries: current value is ${countMax}`);
		const {text} = await this.#connection.send({
			operation: 'ListObjectsV2',
			action: `list "${prefix}"`,
			method: 'GET',
			signal,
			query: {
				'list-type': '2',
				'encoding-type': 'url',
				'max-keys': String(countMax),
				prefix: this.#keyPrefix + prefix,
				delimiter,
				'continuation-token': continuationToken,
				'start-after':
					startAfter === undefined || continuationToken !== undefined ? undefined : this.#keyPrefix + startAfter,
			},
		});
		return parseListing(text, this.#keyPrefix);
	}

	async put(key: string, body: WriteBody, request: PutRequest = {}): Promise<PutResult> {
		assertMetadata(request.metadata);
		const id = createWriteId(request);
		const storedKey = this.#toKey(key);
		return toPutResult(
			await this.#connection.send({
				operation: 'PutObject',
				action: `write "${key}"`,
				method: 'PUT',
				key: storedKey,
				signal: request.signal,
				headers: {
					...toAttributeHeaders(request),
					...toConditionHeaders(request),
					[writeIdHeader]: id,
					'x-amz-checksum-crc32': toCrc32Base64(body),
				},
				body: toPieces(body),
				isConflictRetriable: true,
				confirm: () =>
					this.#findWritten(
						{storedKey, signal: request.signal},
						headers => id !== undefined && headers[writeIdHeader] === id,
					),
			}),
		);
	}

	async copy(source: CopySource, key: string, request: CopyRequest = {}): Promise<PutResult> {
		const {replace, signal} = request;
		assertCopy(source, key, request);
		assertMetadata(replace?.metadata);
		const id = replace === undefined ? undefined : createWriteId(request);
		const storedKey = this.#toKey(key);
		const isOurs = toCopyConfirmation({id, source, findSource: async () => this.head(source.key, {signal})});
		return toPutResult(
			await this.#connection.send({
				operation: 'CopyObject',
				action: `copy "${source.key}" to "${key}"`,
				method: 'PUT',
				key: storedKey,
				signal,
				isLongRunning: true,
				isConflictRetriable: true,
				headers: {
					...this.#toSourceHeaders(source),
					...toConditionHeaders(request),
					...(replace === undefined
						? {}
						: {...toAttributeHeaders(replace), 'x-amz-metadata-directive': 'REPLACE', [writeIdHeader]: id}),
				},
				confirm: () => this.#findWritten({storedKey, signal}, isOurs),
			}),
		);
	}

	async delete(key: string, {signal}: CallOptions = {}): Promise<void> {
		await this.#unlessAbsent({
			operation: 'DeleteObject',
			action: `delete "${key}"`,
			method: 'DELETE',
			key: this.#toKey(key),
			signal,
		});
	}

	async deleteMany(keys: readonly string[], {signal}: CallOptions = {}): Promise<FailedKey[]> {
		assert(keys.length <= 1000, `deleteMany() takes up to 1000 keys: current count is ${keys.length}`);
		const batch = keys.filter(key => isBatchKey(key));
		const failed =
			batch.length === 0
				? []
				: await sendDeleteObjects(
						this.#connection,
						batch.map(key => this.#toKey(key)),
						signal,
					);
		// What failed for now is tried again by its own call, which has the pauses.
		const again = failed.filter(({error}) => error.isTransient).map(({key}) => key.slice(this.#keyPrefix.length));
		const singles = [...keys.filter(key => !isBatchKey(key)), ...again];
		const final = failed
			.filter(({error}) => !error.isTransient)
			.map(({key, error}) => ({key: key.slice(this.#keyPrefix.length), error}));
		return [...final, ...(await this.#deleteSingly(singles, signal))];
	}

	async createMultipartUpload(
		key: string,
		{signal, ...attributes}: WriteAttributes & CallOptions = {},
	): Promise<MultipartUpload> {
		assertMetadata(attributes.metadata);
		const action = `begin the upload of "${key}"`;
		const {text} = await this.#connection.send({
			operation: 'CreateMultipartUpload',
			action,
			method: 'POST',
			key: this.#toKey(key),
			query: {uploads: ''},
			signal,
			headers: {...toAttributeHeaders(attributes), 'x-amz-checksum-algorithm': 'CRC32'},
		});
		const uploadId = findXmlText(text, 'UploadId');
		if (uploadId === undefined) {
			throw new StoreError('corrupt', `Cannot ${action}: the server answered without an upload id`);
		}

		return {key, uploadId};
	}

	async uploadPart(
		{key, uploadId}: MultipartUpload,
		partNumber: number,
		body: WriteBody,
		{signal}: CallOptions = {},
	): Promise<UploadedPart> {
		assertPartNumber(partNumber);
		const checksum = toCrc32Base64(body);
		const answer = await this.#connection.send({
			operation: 'UploadPart',
			action: `upload part ${partNumber} of "${key}"`,
			method: 'PUT',
			key: this.#toKey(key),
			signal,
			query: {partNumber: String(partNumber), uploadId},
			headers: {'x-amz-checksum-crc32': checksum},
			body: toPieces(body),
		});
		return {partNumber, etag: toPutResult(answer).etag, ...toPartChecksum(answer.headers['x-amz-checksum-crc32'])};
	}

	async uploadPartCopy(
		{key, uploadId}: MultipartUpload,
		partNumber: number,
		source: CopySource,
		range: ByteRange,
		{signal}: CallOptions = {},
	): Promise<UploadedPart> {
		assertPartNumber(partNumber);
		assertRange(source.key, range);
		const answer = await this.#connection.send({
			operation: 'UploadPartCopy',
			action: `copy part ${partNumber} of "${key}" from "${source.key}"`,
			method: 'PUT',
			key: this.#toKey(key),
			signal,
			isLongRunning: true,
			query: {partNumber: String(partNumber), uploadId},
			headers: {...this.#toSourceHeaders(source), 'x-amz-copy-source-range': `bytes=${range.start}-${range.end - 1}`},
		});
		return {partNumber, etag: toPutResult(answer).etag, ...toPartChecksum(findXmlText(answer.text, 'ChecksumCRC32'))};
	}

	async completeMultipartUpload(
		{key, uploadId}: MultipartUpload,
		parts: readonly UploadedPart[],
		{signal, ...condition}: WriteCondition & CallOptions = {},
	): Promise<PutResult> {
		const storedKey = this.#toKey(key);
		const etag = toMultipartEtag(parts.map(part => part.etag));
		const confirm = () => this.#findWritten({storedKey, signal}, headers => unquoteEtag(headers.etag ?? '') === etag);
		const request = {action: `complete the upload of "${key}"`, key: storedKey, query: {uploadId}, signal};
		let answer: S3Answer | undefined;
		try {
			answer = await this.#connection.send({
				...request,
				operation: 'CompleteMultipartUpload',
				method: 'POST',
				isLongRunning: true,
				confirm,
				headers: {...toConditionHeaders(condition), 'content-type': 'application/xml'},
				body: [
					Buffer.from(
						`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.map(toPartXml).join('')}</CompleteMultipartUpload>`,
					),
				],
			});
		} catch (error) {
			// An unknown upload may have been completed by an earlier call (of an earlier process) whose answer was lost.
			answer = isStoreError(error, 'notFound', 'unavailable') ? await confirm() : undefined;
			if (answer === undefined && isStoreError(error, 'unavailable')) {
				// Ceph RGW 16 answers 500 for an unknown upload; this is refused with `notFound`.
				await this.#connection.send({...request, operation: 'ListParts', method: 'GET'});
			}

			if (answer === undefined) {
				throw error;
			}
		}

		const result = toPutResult(answer);
		// Ceph RGW 16 completes with an empty etag.
		return result.etag === '' ? {...toPutResult((await confirm()) ?? answer), etag} : result;
	}

	async abortMultipartUpload({key, uploadId}: MultipartUpload, {signal}: CallOptions = {}): Promise<void> {
		await this.#unlessAbsent({
			operation: 'AbortMultipartUpload',
			action: `abort the upload of "${key}"`,
			method: 'DELETE',
			key: this.#toKey(key),
			query: {uploadId},
			signal,
		});
	}

	async close(): Promise<void> {
		this.#connection.close();
	}

	#toKey(key: string): string {
		assert(key !== '', 'A key must not be empty');
		const storedKey = this.#keyPrefix + key;
		assertKeyLength(storedKey);
		if (!storedKey.isWellFormed()) {
			throw new StoreError(
				'invalidRequest',
				`Cannot use key ${JSON.stringify(key)}: it holds half a character, which UTF-8 cannot express`,
			);
		}

		return storedKey;
	}

	#toSourceHeaders({key, etag, versionId}: CopySource): Record<string, string | undefined> {
		const version = versionId === undefined ? '' : `?versionId=${encodeUri(versionId)}`;
		return {
			'x-amz-copy-source': `/${this.#bucket}/${encodeKey(this.#toKey(key))}${version}`,
			'x-amz-copy-source-if-match': etag,
		};
	}

	/**
	The answer, or `undefined` when there is no such object, version or upload. A delete marker is refused with 405.
	*/
	async #unlessAbsent(
		request: S3Request,
		{isVersion = false}: {isVersion?: boolean} = {},
	): Promise<S3Answer | undefined> {
		try {
			return await this.#connection.send(request);
		} catch (error) {
			if (isStoreError(error, 'notFound') || (isVersion && isStoreError(error) && error.status === 405)) {
				return undefined;
			}

			throw error;
		}
	}

	/** The head of an object that is there and is ours. */
	async #findWritten(
		{storedKey, signal}: {storedKey: string} & CallOptions,
		isOurs: (headers: S3Answer['headers']) => boolean | Promise<boolean>,
	): Promise<S3Answer | undefined> {
		const answer = await this.#unlessAbsent({
			operation: 'HeadObject',
			action: 'look up what was written',
			method: 'HEAD',
			key: storedKey,
			signal,
		});
		return answer !== undefined && (await isOurs(answer.headers)) ? answer : undefined;
	}

	/** HEAD is refused without a reason; the same question as a GET of one byte has one. */
	async #explainHead(request: S3Request, error: unknown): Promise<unknown> {
		if (!isStoreError(error, 'accessDenied', 'invalidRequest') || error.s3Code !== undefined) {
			return error;
		}

		try {
			await this.#connection.send({...request, method: 'GET', headers: {range: 'bytes=0-0'}});
		} catch (explained) {
			return isStoreError(explained) &&
				explained.s3Code !== undefined &&
				explained.code !== 'notFound' &&
				explained.status !== 416
				? explained
				: error;
		}

		return error;
	}

	async #deleteSingly(keys: readonly string[], signal: AbortSignal | undefined): Promise<FailedKey[]> {
		const failed: FailedKey[] = [];
		for (let start = 0; start < keys.length; start += singleDeletionCountMax) {
			await Promise.all(
				keys.slice(start, start + singleDeletionCountMax).map(async key => {
					try {
						await this.delete(key, {signal});
					} catch (error) {
						if (!isStoreError(error) || error.code === 'aborted') {
							throw error;
						}

						failed.push({key, error});
					}
				}),
			);
		}

		return failed;
	}
}

const toPartChecksum = (checksum: string | string[] | undefined) =>
	typeof checksum === 'string' ? {checksumCrc32: checksum} : {};

/** Etags go without quotes: every server takes that, and Ceph RGW 16 compares them literally. */
const toConditionHeaders = ({ifMatch, ifNoneMatch}: WriteCondition): Record<string, string | undefined> => ({
	'if-match': ifMatch,
	'if-none-match': ifNoneMatch,
});

const createWriteId = ({ifMatch, ifNoneMatch}: WriteCondition): string | undefined =>
	ifMatch === undefined && ifNoneMatch === undefined ? undefined : randomBytes(9).toString('base64url');

const toPartXml = ({partNumber, etag, checksumCrc32}: UploadedPart): string => {
	const checksum = checksumCrc32 === undefined ? '' : `<ChecksumCRC32>${checksumCrc32}</ChecksumCRC32>`;
	return `<Part><PartNumber>${partNumber}</PartNumber><ETag>&quot;${etag}&quot;</ETag>${checksum}</Part>`;
};
