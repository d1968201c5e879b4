import {isStoreError, StoreError} from '../model/store-error.ts';
import {toMultipartEtag} from './etag.ts';
import {assertRange} from './key-rules.ts';
import {assertMetadata} from './metadata-rules.ts';
import {assertPartNumber} from './multipart-rules.ts';
import type {
	ByteRange,
	CopySource,
	MultipartUpload,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from './object-store.ts';
import type {S3Answer} from './s3-connection.ts';
import {unquoteEtag} from './s3-listing.ts';
import type {S3LookBefore} from './s3-look-before.ts';
import {toAttributeHeaders, toPutResult} from './s3-object-head.ts';
import {type CallOptions, type S3Scope, toConditionHeaders} from './s3-scope.ts';
import {findXmlText} from './s3-xml.ts';
import {crcOf, toPieces, type WriteBody} from './write-body.ts';

/** Objects that are made of parts. */
export class S3Multipart {
	readonly #scope: S3Scope;
	readonly #lookBefore: S3LookBefore;

	constructor(scope: S3Scope, lookBefore: S3LookBefore) {
		this.#scope = scope;
		this.#lookBefore = lookBefore;
	}

	async createMultipartUpload(
		key: string,
		{signal, ...attributes}: WriteAttributes & CallOptions = {},
	): Promise<MultipartUpload> {
		assertMetadata(attributes.metadata);
		const action = `begin the upload of "${key}"`;
		const {text} = await this.#scope.connection.send({
			operation: 'CreateMultipartUpload',
			action,
			method: 'POST',
			key: this.#scope.toKey(key),
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
		const answer = await this.#scope.connection.send({
			operation: 'UploadPart',
			action: `upload part ${partNumber} of "${key}"`,
			method: 'PUT',
			key: this.#scope.toKey(key),
			signal,
			query: {partNumber: String(partNumber), uploadId},
			headers: this.#scope.bodyChecksums.headersOf(body, crcOf(body)),
			body: toPieces(body),
		});
		this.#scope.bodyChecksums.note(answer);
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
		await this.#lookBefore.assertSource(source, {signal});
		const answer = await this.#scope.connection.send({
			operation: 'UploadPartCopy',
			action: `copy part ${partNumber} of "${key}" from "${source.key}"`,
			method: 'PUT',
			key: this.#scope.toKey(key),
			signal,
			isLongRunning: true,
			workBytes: range.end - range.start,
			query: {partNumber: String(partNumber), uploadId},
			headers: {
				...this.#scope.toSourceHeaders(source),
				'x-amz-copy-source-range': `bytes=${range.start}-${range.end - 1}`,
			},
		});
		return {partNumber, etag: toPutResult(answer).etag, ...toPartChecksum(findXmlText(answer.text, 'ChecksumCRC32'))};
	}

	async completeMultipartUpload(
		{key, uploadId}: MultipartUpload,
		parts: readonly UploadedPart[],
		{signal, ...condition}: WriteCondition & CallOptions = {},
	): Promise<PutResult> {
		const storedKey = this.#scope.toKey(key);
		const etag = toMultipartEtag(parts.map(part => part.etag));
		const confirm = () =>
			this.#scope.findWritten({storedKey, signal}, headers => unquoteEtag(headers.etag ?? '') === etag);
		const request = {action: `complete the upload of "${key}"`, key: storedKey, query: {uploadId}, signal};
		await this.#lookBefore.assertCondition(key, condition, {signal});
		let answer: S3Answer | undefined;
		try {
			answer = await this.#scope.connection.send({
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
				await this.#scope.connection.send({...request, operation: 'ListParts', method: 'GET'});
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
		await this.#scope.sendUnlessAbsent({
			operation: 'AbortMultipartUpload',
			action: `abort the upload of "${key}"`,
			method: 'DELETE',
			key: this.#scope.toKey(key),
			query: {uploadId},
			signal,
		});
	}
}

const toPartChecksum = (checksum: string | string[] | undefined) =>
	typeof checksum === 'string' ? {checksumCrc32: checksum} : {};

const toPartXml = ({partNumber, etag, checksumCrc32}: UploadedPart): string => {
	const checksum = checksumCrc32 === undefined ? '' : `<ChecksumCRC32>${checksumCrc32}</ChecksumCRC32>`;
	return `<Part><PartNumber>${partNumber}</PartNumber><ETag>&quot;${etag}&quot;</ETag>${checksum}</Part>`;
};
