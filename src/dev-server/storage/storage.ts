import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {S3Error} from '../s3-error.ts';
import {BlobStore} from './blob-store.ts';
import {Journal} from './journal.ts';
import type {Segment} from './segment.ts';
import {StoredBucket, type OpenUpload} from './stored-bucket.ts';
import type {StoredChange, StoredVersion} from './stored-state.ts';

/** Everything the server keeps: buckets in memory, their changes in a journal, bytes in blobs. */
export class Storage {
	readonly blobs: BlobStore;
	readonly #buckets = new Map<string, StoredBucket>();
	readonly #directory: string;
	#journal: Journal;
	#compactBytes: number;

	/** Opens a directory with what an earlier server left there, or empty. */
	constructor(directory: string) {
		this.#directory = directory;
		mkdirSync(directory, {recursive: true});
		this.blobs = new BlobStore(join(directory, 'blobs'));
		const {journal, changeCount} = Journal.open(directory, change => this.#apply(change));
		this.blobs.sweep();
		this.#journal = journal;
		this.#compactBytes = compactionLimit(journal);
		if (changeCount > 2 * countOf(this.#changes())) {
			this.#compact();
		}
	}

	get buckets(): Iterable<StoredBucket> {
		return this.#buckets.values();
	}

	findBucket(name: string): StoredBucket | undefined {
		return this.#buckets.get(name);
	}

	bucket(name: string): StoredBucket {
		const bucket = this.#buckets.get(name);
		if (bucket === undefined) {
			throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', {fields: {BucketName: name}});
		}

		return bucket;
	}

	upload(bucket: StoredBucket, key: string, uploadId: string | undefined): OpenUpload {
		const open = bucket.uploads.get(uploadId ?? '');
		if (open?.upload.key !== key) {
			throw new S3Error(
				'NoSuchUpload',
				'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
				{fields: {UploadId: uploadId ?? ''}},
			);
		}

		return open;
	}

	/** Makes changes, first on disk and then visible. Nothing else happens in between: a check before it still holds. */
	commit(...changes: readonly StoredChange[]): void {
		this.#journal.append(changes);
		for (const change of changes) {
			this.#apply(change);
		}

		if (this.#journal.sizeBytes > this.#compactBytes) {
			this.#compact();
		}
	}

	close(): void {
		this.#journal.close();
		this.blobs.close();
	}

	#compact(): void {
		const journal = Journal.rewrite(this.#directory, this.#changes());
		this.#journal.close();
		this.#journal = journal;
		this.#compactBytes = compactionLimit(journal);
	}

	#apply(change: StoredChange): void {
		if (change.op === 'bucket') {
			this.#buckets.set(change.bucket, new StoredBucket(change));
			return;
		}

		const bucket = this.bucket(change.bucket);
		switch (change.op) {
			case 'dropBucket': {
				this.#buckets.delete(change.bucket);
				return;
			}

			case 'setting': {
				if (change.value === undefined) {
					bucket.settings.delete(change.name);
				} else {
					bucket.settings.set(change.name, change.value);
				}

				return;
			}

			case 'version': {
				this.blobs.retain(segmentsOf(change.version));
				this.blobs.release(segmentsOf(bucket.putVersion(change.key, change.version)));
				this.#dropUpload(bucket, change.uploadId);
				return;
			}

			case 'dropVersion': {
				this.blobs.release(segmentsOf(bucket.dropVersion(change.key, change.versionId)));
				return;
			}

			case 'tags': {
				bucket.setTags(change.key, change.versionId, change.tags);
				return;
			}

			case 'upload': {
				bucket.uploads.set(change.upload.id, {upload: change.upload, parts: new Map()});
				return;
			}

			case 'part': {
				const parts = bucket.uploads.get(change.uploadId)!.parts; // A part is journalled only while its upload is open.
				this.blobs.retain(change.part.segments);
				this.blobs.release(parts.get(change.partNumber)?.segments ?? []);
				parts.set(change.partNumber, change.part);
				return;
			}

			case 'dropUpload': {
				this.#dropUpload(bucket, change.uploadId);
			}
		}
	}

	#dropUpload(bucket: StoredBucket, uploadId: string | undefined): void {
		const open = uploadId === undefined ? undefined : bucket.uploads.get(uploadId);
		if (open !== undefined) {
			bucket.uploads.delete(open.upload.id);
			for (const part of open.parts.values()) {
				this.blobs.release(part.segments);
			}
		}
	}

	*#changes(): Generator<StoredChange> {
		for (const bucket of this.#buckets.values()) {
			yield* bucket.toChanges();
		}
	}
}

// Rewriting takes about a second for each 200 MB, so it has to be rare.
const compactionLimit = ({sizeBytes}: Journal): number => Math.max(sizeBytes * 4, 256 * 1024 * 1024);

const countOf = (changes: Iterable<StoredChange>): number => {
	let count = 0;
	for (const _ of changes) {
		count++;
	}

	return count;
};

const segmentsOf = (version: StoredVersion | undefined): readonly Segment[] =>
	version?.kind === 'object' ? version.segments : [];
