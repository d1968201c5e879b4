/**
The object store as the file system needs it. Implementations: S3 (`s3-object-store.ts`), memory, and one
that fails on command; `test/end-to-end/contract/support/object-store-contract.ts` says what they have in common.

Rules for all methods:
- An `AbortSignal` ends the call with a `StoreError` of code `aborted`. Every call also has a deadline of its own.
- Failures are `StoreError`s. Absence is `undefined` where the return type says so.
- Transient failures were already tried again a bounded number of times before a caller sees one. A write that was
  tried again and finds its own earlier attempt in place counts as a success, also under a condition.
- An etag is given and taken exactly as here: without quotes.
*/

export type Metadata = Readonly<Record<string, string>>;

/** One version of one object. Two versions of a key with equal etags have equal bytes. */
export type ObjectVersion = {
	readonly key: string;
	/** Without quotes. */
	readonly etag: string;
	/** Set when the bucket is versioned: a read with it works after the version was replaced or deleted. */
	readonly versionId?: string | undefined;
	readonly sizeBytes: number;
	/** Milliseconds since the epoch; whole seconds from HEAD and GET on most servers. */
	readonly lastModifiedMs: number;
	/** The checksums of its pieces, where its metadata has them: for `parseBlockSums`. */
	readonly blockSums?: string | undefined;
};

export type ObjectHead = ObjectVersion & {
	/** User metadata: keys in lower case, without `x-amz-meta-`. */
	readonly metadata: Metadata;
	readonly contentType?: string | undefined;
	/** The last writes whose bytes it has, the newest first; absent when none of them had an id. */
	readonly writeIds?: readonly string[];
	/** Put together from what we wrote and the answer to it: `lastModifiedMs` is of our clock, not of the server's. */
	readonly isFromAnswer?: boolean;
	/**
	At least two seconds old by the server's clock when it answered: its etag and its time, in whole seconds, are those of
	no later version.
	*/
	readonly isSettled?: boolean;
	/** `undefined` for STANDARD. GLACIER and DEEP_ARCHIVE cannot be read. */
	readonly storageClass?: string | undefined;
};

export type ListedObject = Omit<ObjectVersion, 'versionId'>;

export type ListPage = {
	/** In S3's order: by the bytes of the UTF-8 of their keys. */
	readonly objects: readonly ListedObject[];
	/** Common prefixes, each ending in the delimiter; in the same order. */
	readonly prefixes: readonly string[];
	/** Present when there is more: give it to the next call. */
	readonly continuationToken?: string | undefined;
};

export type ListRequest = {
	readonly prefix: string;
	readonly delimiter?: '/' | undefined;
	/** Only keys after this one. Ignored when a token is given. */
	readonly startAfter?: string | undefined;
	readonly continuationToken?: string | undefined;
	/** 1 to 1000, default 1000. */
	readonly countMax?: number | undefined;
	readonly signal?: AbortSignal | undefined;
};

/** Bytes `start` up to but not including `end`. */
export type ByteRange = {readonly start: number; readonly end: number};

export type GetRequest = {
	/** Without it the whole object. An empty or out-of-bounds range is a bug of the caller. */
	readonly range?: ByteRange | undefined;
	/** The read fails with `preconditionFailed` when the current version has another etag. */
	readonly ifMatch?: string | undefined;
	/** Reads this version; with `ifMatch` as a check on top. */
	readonly versionId?: string | undefined;
	readonly signal?: AbortSignal | undefined;
};

export type ObjectBody = AsyncIterable<Uint8Array> & {
	/**
	Gives all pieces to `take`, as an iteration does, for less: each as soon as it is there, and good until `take`
	returns. What `take` throws ends it.
	*/
	readonly pump?: (take: (piece: Uint8Array) => void) => Promise<void>;
};

export type GetResult = {
	readonly object: ObjectHead;
	/**
	Yields exactly the bytes of the range; ends with a `StoreError` when the connection breaks (`unavailable`). A
	piece may be looked at until the next one is asked for. Must be read to the end or returned.
	*/
	readonly body: ObjectBody;
	/** Whether the body ends with `corrupt` when its bytes are not those that the server has a checksum of. */
	readonly isChecked?: boolean | undefined;
};

export type WriteCondition = {
	/** Only when the key has this etag now. */
	readonly ifMatch?: string | undefined;
	/** Only when the key does not exist. */
	readonly ifNoneMatch?: '*' | undefined;
};

export type WriteAttributes = {
	readonly metadata?: Metadata | undefined;
	readonly contentType?: string | undefined;
	/** Tells whoever looks at the object, or at one that was made from it, that this write was carried out. */
	readonly writeId?: string | undefined;
	/** Those of the object whose bytes this one keeps. The oldest may be left out, and all where metadata has no room. */
	readonly keptWriteIds?: readonly string[] | undefined;
	/**
	The checksums of the pieces of the bytes; `put` makes them itself. Coarser ones are stored where metadata has less
	room, or none.
	*/
	readonly blockSums?: string | undefined;
};

export type PutRequest = WriteAttributes & WriteCondition & {readonly signal?: AbortSignal | undefined};

export type PutResult = {
	readonly etag: string;
	readonly versionId?: string | undefined;
	/** Of what was stored, where it is known. */
	readonly blockSums?: string;
};

/**
Where a server-side copy reads: fails with `preconditionFailed` when the source has another etag, with `notFound`
when it is gone.
*/
export type CopySource = {
	readonly key: string;
	readonly etag?: string | undefined;
	readonly versionId?: string | undefined;
	/** Where it is known: how long the copy may take depends on it. */
	readonly sizeBytes?: number | undefined;
};

export type CopyRequest = WriteCondition & {
	/**
	When given, replaces metadata and content type; otherwise both are copied. A copy of an object onto itself must
	replace.
	*/
	readonly replace?: WriteAttributes | undefined;
	readonly signal?: AbortSignal | undefined;
};

/**
What tells a version from another one of the same bytes, and so of the same etag, as far as it is known. Something that
was deleted may have been made anew before a lost answer is noticed.
*/
export type VersionMarks = {
	readonly versionId?: string | undefined;
	/** Of its newest write. */
	readonly writeId?: string | undefined;
	/** By the server's clock; two that are less than a second apart count as equal. */
	readonly lastModifiedMs?: number | undefined;
};

/** With an etag: only that version, as `ifMatch` and `marks` of `delete`. */
export type DeletedObject = {
	readonly key: string;
	readonly etag?: string | undefined;
	/** Or how to find them, when they are needed. */
	readonly marks?: VersionMarks | (() => Promise<VersionMarks>) | undefined;
};

export type MultipartUpload = {readonly key: string; readonly uploadId: string};

export type UploadedPart = {
	/** From 1 to 10,000. */
	readonly partNumber: number;
	readonly etag: string;
	/** Base64, when the server checks it again at completion. */
	readonly checksumCrc32?: string | undefined;
};

type CallOptions = {readonly signal?: AbortSignal | undefined};

export interface ObjectStore {
	/** The newest version of a key, or `undefined` when there is none. */
	head(key: string, options?: CallOptions): Promise<ObjectHead | undefined>;

	/** The bytes of an object, or `undefined` when the key (or version) does not exist. Safe to repeat. */
	get(key: string, request?: GetRequest): Promise<GetResult | undefined>;

	/** One page of a listing. Strongly consistent: what was written before the call is in it. */
	list(request: ListRequest): Promise<ListPage>;

	/**
	Stores an object in one request: visible as a whole or not at all. Up to 5 GiB; the body stays the caller's and
	must not change until the end.
	*/
	put(key: string, body: Uint8Array | readonly Uint8Array[], request?: PutRequest): Promise<PutResult>;

	/** Server-side copy of up to 5 GiB. Larger ones: `uploadPartCopy`. */
	copy(source: CopySource, key: string, request?: CopyRequest): Promise<PutResult>;

	/**
	Success also when there was nothing. In a versioned bucket this leaves a delete marker. With `ifMatch` it fails with
	`preconditionFailed` when the key has another etag; on a server that does not know this, it was looked up just before.
	When an answer is lost, the object is looked at before the next try: one that is gone, or has another etag or other
	marks, is a success and stays.
	*/
	delete(
		key: string,
		options?: CallOptions & {readonly ifMatch?: string | undefined; readonly marks?: DeletedObject['marks']},
	): Promise<void>;

	/**
	Deletes up to 1000 keys in one request where the server can, each on its own condition; the answer names those that
	failed.
	*/
	deleteMany(
		objects: readonly DeletedObject[],
		options?: CallOptions,
	): Promise<ReadonlyArray<{key: string; error: Error}>>;

	createMultipartUpload(key: string, request?: WriteAttributes & CallOptions): Promise<MultipartUpload>;

	/** 5 MiB (but for the last) to 5 GiB. The same part number again replaces the part. */
	uploadPart(
		upload: MultipartUpload,
		partNumber: number,
		body: Uint8Array | readonly Uint8Array[],
		options?: CallOptions,
	): Promise<UploadedPart>;

	/** A part from a range of an object, without moving its bytes through us. */
	uploadPartCopy(
		upload: MultipartUpload,
		partNumber: number,
		source: CopySource,
		range: ByteRange,
		options?: CallOptions,
	): Promise<UploadedPart>;

	/**
	Makes the object visible. Fails with `notFound` when the upload is unknown (aborted, or completed by an attempt
	whose answer was lost and whose object was replaced since).
	*/
	completeMultipartUpload(
		upload: MultipartUpload,
		parts: readonly UploadedPart[],
		condition?: WriteCondition & CallOptions,
	): Promise<PutResult>;

	/** Frees the parts of an unfinished upload. Success also when it is unknown. */
	abortMultipartUpload(upload: MultipartUpload, options?: CallOptions): Promise<void>;

	/** Ends idle connections. Calls after it fail. */
	close(): Promise<void>;
}
