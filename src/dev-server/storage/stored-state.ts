import type {Checksum, ChecksumAlgorithm, ChecksumType} from '../checksum.ts';
import type {Segment} from './segment.ts';

/** Text by name, as it is in the journal. */
export type TextByName = Readonly<Record<string, string>>;

/** What a client says of an object beside its bytes. */
export type ObjectAttributes = {
	/** `content-type` and its kin, by header name in lower case. */
	readonly headers: TextByName;
	/** User metadata without `x-amz-meta-`; values hold one character for each byte on the wire. */
	readonly metadata: TextByName;
	readonly tags: TextByName;
	readonly storageClass: string;
	/** `x-amz-server-side-encryption...` headers of the answers. */
	readonly encryption: TextByName;
};

export type StoredPart = {
	readonly etag: string;
	readonly sizeBytes: number;
	readonly segments: readonly Segment[];
	readonly lastModifiedMs: number;
	readonly checksum?: Checksum | undefined;
};

/** One version of an object. */
export type StoredObject = ObjectAttributes & {
	readonly kind: 'object';
	/** `null` when versioning was not on. */
	readonly versionId: string;
	/** Whole seconds: what S3 keeps. */
	readonly lastModifiedMs: number;
	/** Without quotes. */
	readonly etag: string;
	readonly sizeBytes: number;
	readonly segments: readonly Segment[];
	readonly checksum?: Checksum | undefined;
	/** Of a completed multipart upload. */
	readonly parts?: ReadonlyArray<{readonly sizeBytes: number; readonly checksum?: Checksum | undefined}> | undefined;
};

export type DeleteMarker = {readonly kind: 'marker'; readonly versionId: string; readonly lastModifiedMs: number};

export type StoredVersion = StoredObject | DeleteMarker;

export type StoredUpload = ObjectAttributes & {
	readonly id: string;
	readonly key: string;
	readonly initiatedMs: number;
	readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
	readonly checksumType?: ChecksumType | undefined;
};

/**
A change, and one line of the journal. Applying the lines in their order to an empty server gives its state again.
*/
export type StoredChange =
	| {readonly op: 'bucket'; readonly bucket: string; readonly region: string; readonly createdMs: number}
	| {readonly op: 'dropBucket'; readonly bucket: string}
	/** Without a value the setting is removed. */
	| {readonly op: 'setting'; readonly bucket: string; readonly name: string; readonly value?: string | undefined}
	/** A new newest version; replaces the version of the same id. `uploadId`: the upload that ends with it. */
	| {
			readonly op: 'version';
			readonly bucket: string;
			readonly key: string;
			readonly version: StoredVersion;
			readonly uploadId?: string | undefined;
	  }
	| {readonly op: 'dropVersion'; readonly bucket: string; readonly key: string; readonly versionId: string}
	| {
			readonly op: 'tags';
			readonly bucket: string;
			readonly key: string;
			readonly versionId: string;
			readonly tags: TextByName;
	  }
	| {readonly op: 'upload'; readonly bucket: string; readonly upload: StoredUpload}
	| {
			readonly op: 'part';
			readonly bucket: string;
			readonly uploadId: string;
			readonly partNumber: number;
			readonly part: StoredPart;
	  }
	| {readonly op: 'dropUpload'; readonly bucket: string; readonly uploadId: string};
