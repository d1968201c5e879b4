import {StoreError} from '../../../src/model/store-error.ts';
import type {MultipartUpload, UploadedPart, WriteAttributes} from '../../../src/store/object-store.ts';
import {md5Hex, toMultipartEtag} from '../../../src/store/etag.ts';
import {assertPartNumber} from '../../../src/store/multipart-rules.ts';
import {copyBytes} from './copy-bytes.ts';

/** The smallest part that is not the last (Amazon S3 User Guide, "Multipart upload limits"). */
const partBytesMin = 5 * 2 ** 20;

type StoredPart = {readonly etag: string; readonly bytes: Uint8Array};
type StoredUpload = {
	readonly key: string;
	readonly attributes: WriteAttributes;
	readonly parts: Map<number, StoredPart>;
};

/** The unfinished multipart uploads of a memory store, with S3's rules for parts. */
export class MemoryMultipartUploads {
	readonly #uploads = new Map<string, StoredUpload>();
	#createdCount = 0;

	get count(): number {
		return this.#uploads.size;
	}

	create(key: string, attributes: WriteAttributes): MultipartUpload {
		const uploadId = `upload-${++this.#createdCount}`;
		this.#uploads.set(uploadId, {key, attributes, parts: new Map()});
		return {key, uploadId};
	}

	has({key, uploadId}: MultipartUpload): boolean {
		return this.#uploads.get(uploadId)?.key === key;
	}

	/** The stored upload; an unknown one is `notFound`, as S3's NoSuchUpload. */
	find({key, uploadId}: MultipartUpload): StoredUpload {
		const upload = this.#uploads.get(uploadId);
		if (upload?.key !== key) {
			throw new StoreError(
				'notFound',
				`Cannot find multipart upload "${uploadId}" of "${key}": it was completed or aborted, or never began`,
			);
		}

		return upload;
	}

	storePart(upload: MultipartUpload, partNumber: number, bytes: Uint8Array): UploadedPart {
		assertPartNumber(partNumber);
		const etag = md5Hex(bytes);
		this.find(upload).parts.set(partNumber, {etag, bytes});
		return {partNumber, etag};
	}

	/** The bytes and the etag of the object that these parts make. Nothing changes. */
	assemble(upload: MultipartUpload, parts: readonly UploadedPart[]): {bytes: Uint8Array; etag: string} {
		const stored = this.find(upload);
		const refuse = (rule: string) =>
			new StoreError('invalidRequest', `Cannot complete multipart upload of "${upload.key}": ${rule}`);
		if (parts.length === 0) {
			throw refuse('it needs at least one part');
		}

		const chosen: StoredPart[] = [];
		for (const [index, {partNumber, etag}] of parts.entries()) {
			const part = stored.parts.get(partNumber);
			if (index > 0 && partNumber <= parts[index - 1]!.partNumber) {
				throw refuse(`part ${partNumber} is not in ascending order (InvalidPartOrder)`);
			}

			if (part?.etag !== etag) {
				throw refuse(`part ${partNumber} with etag ${etag} was never uploaded (InvalidPart)`);
			}

			if (index < parts.length - 1 && part.bytes.length < partBytesMin) {
				throw refuse(
					`part ${partNumber} has ${part.bytes.length} bytes, and only the last may have fewer than ${partBytesMin} (EntityTooSmall)`,
				);
			}

			chosen.push(part);
		}

		return {bytes: copyBytes(chosen.map(part => part.bytes)), etag: toMultipartEtag(chosen.map(part => part.etag))};
	}

	forget(upload: MultipartUpload): void {
		this.#uploads.delete(upload.uploadId);
	}
}
