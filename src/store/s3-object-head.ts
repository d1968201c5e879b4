import type {IncomingHttpHeaders} from 'node:http';
import {crc32} from 'node:zlib';
import {metadataBytes} from '../model/object-attributes.ts';
import {coarsen, formatBlockSums, parseBlockSums} from './block-sums.ts';
import {isMetadataEntry, metadataBytesMax} from './metadata-rules.ts';
import type {Metadata, ObjectHead, PutResult, WriteAttributes} from './object-store.ts';
import type {S3Answer} from './s3-connection.ts';
import {unquoteEtag} from './s3-listing.ts';
import {findXmlText} from './s3-xml.ts';

const metadataPrefix = 'x-amz-meta-';

/**
A conditional write carries a random id in its metadata. When its answer was lost and the next attempt is refused, the
id in the object tells whether it is ours: equal bytes would not, as two empty lock files have equal bytes. Behind it
are the ids of the writes whose bytes the object keeps, so that they are found also when another write came on top. They
are not part of the metadata that callers see.
*/
export const writeIdHeader = `${metadataPrefix}pnx-write-id`;

/**
The checksums of the pieces of the object (`block-sums.ts`), behind six characters that say which metadata they were
stored with. They are not part of the metadata that callers see.

Another program may change the bytes of an object and carry its metadata along. Then the size differs, or the count of
parts that the etag has, or the metadata: such programs write a modification time of their own. In each case the
checksums are taken for those of other bytes, and are not used.
*/
const blockSumsHeader = `${metadataPrefix}pnx-crc32`;

/** So many appends of others may come on top before one whose answer was lost looks whether it was stored. */
const writeIdCountMax = 16;

/** What HEAD and GET say about an object. */
export const toObjectHead = (key: string, headers: IncomingHttpHeaders): ObjectHead => {
	const version = {
		etag: unquoteEtag(headers.etag ?? ''),
		sizeBytes: toSizeBytes(headers),
		metadata: toMetadata(headers),
	};
	return {
		key,
		...version,
		versionId: toVersionId(headers),
		lastModifiedMs: Date.parse(headers['last-modified'] ?? ''),
		contentType: headers['content-type'],
		storageClass: toStorageClass(headers['x-amz-storage-class']),
		...toWriteIds(headers[writeIdHeader]),
		...toBlockSums(headers[blockSumsHeader], version),
		...toSettled(headers),
	};
};

const toSettled = ({date, 'last-modified': lastModified}: IncomingHttpHeaders): {isSettled?: boolean} =>
	Date.parse(date ?? '') - Date.parse(lastModified ?? '') >= settledAfterMs ? {isSettled: true} : {};

/** HEAD tells the time of an object in whole seconds. */
const settledAfterMs = 2000;

/** What writes answer: in headers or, after copies and completions, in XML. */
export const toPutResult = ({headers, text}: S3Answer): PutResult => ({
	etag: unquoteEtag(headers.etag ?? findXmlText(text, 'ETag') ?? ''),
	versionId: toVersionId(headers),
});

/** Metadata and content type as they are sent. */
export const toAttributeHeaders = ({
	metadata = {},
	contentType,
	writeId,
	keptWriteIds = [],
	blockSums,
}: WriteAttributes): Record<string, string | undefined> => {
	const headers: Record<string, string | undefined> = {'content-type': contentType};
	const ids = [...(writeId === undefined ? [] : [writeId]), ...keptWriteIds];
	const kept = fittingWriteIds(ids, metadata);
	if (kept.length > 0) {
		headers[writeIdHeader] = kept.join(',');
	}

	for (const [key, value] of Object.entries(metadata)) {
		headers[metadataPrefix + key] = value;
	}

	if (blockSums !== undefined) {
		const idBytes = kept.length === 0 ? 0 : kept.join(',').length + nameBytesOf(writeIdHeader);
		headers[blockSumsHeader] = fittingBlockSums(blockSums, {
			metadata,
			roomBytes: metadataBytesMax - metadataBytes(metadata) - idBytes - nameBytesOf(blockSumsHeader),
		});
	}

	return headers;
};

const nameBytesOf = (header: string): number => header.length - metadataPrefix.length;

/** As fine as there is room for; `undefined` when there is none for the coarsest. */
const fittingBlockSums = (
	blockSums: string,
	{metadata, roomBytes}: {metadata: Metadata; roomBytes: number},
): string | undefined => {
	let sums = parseBlockSums(blockSums);
	let text = sums === undefined ? '' : `${toBinding(metadata)}.${blockSums}`;
	while (sums !== undefined && text.length > roomBytes) {
		sums = coarsen(sums);
		text = sums === undefined ? '' : `${toBinding(metadata)}.${formatBlockSums(sums)}`;
	}

	return sums === undefined ? undefined : text;
};

/** The checksums that a header has, when they were stored with this version. */
const toBlockSums = (
	header: string | string[] | undefined,
	{etag, sizeBytes, metadata}: Pick<ObjectHead, 'etag' | 'sizeBytes' | 'metadata'>,
): {blockSums?: string} => {
	const [binding, text] = typeof header === 'string' ? [header.slice(0, 6), header.slice(7)] : [];
	const sums = text === undefined ? undefined : parseBlockSums(text);
	const partCount = /-(\d+)$/.exec(etag)?.[1];
	// A server may give the copy of an object of parts the etag of an object that one request made.
	const isBound =
		sums?.sizeBytes === sizeBytes &&
		(partCount === undefined || sums.partCount === Number(partCount)) &&
		binding === toBinding(metadata);
	return isBound && text !== undefined ? {blockSums: text} : {};
};

const toBinding = (metadata: Metadata): string => {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(crc32(JSON.stringify(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))));
	return bytes.toString('base64url');
};

/** The first of them, as many as have room beside the metadata and are worth it. */
export const fittingWriteIds = (ids: readonly string[], metadata: Metadata): readonly string[] => {
	const roomBytes = metadataBytesMax - metadataBytes(metadata) - nameBytesOf(writeIdHeader);
	let fitting = ids.slice(0, writeIdCountMax);
	while (fitting.join(',').length > roomBytes && fitting.length > 0) {
		fitting = fitting.slice(0, -1);
	}

	return fitting;
};

const toWriteIds = (value: string | string[] | undefined): {writeIds?: readonly string[]} =>
	typeof value === 'string' && value !== '' ? {writeIds: value.split(',')} : {};

/** Whether the newest write of an object is the one with this id. */
export const isWrittenBy = (headers: IncomingHttpHeaders, id: string | undefined): boolean =>
	id !== undefined && toWriteIds(headers[writeIdHeader]).writeIds?.[0] === id;

/** What other tools wrote and no header can carry back is left out, so that what was read can always be written. */
const toMetadata = (headers: IncomingHttpHeaders): Metadata => {
	const metadata: Record<string, string> = {};
	for (const name in headers) {
		if (name.startsWith(metadataPrefix) && name !== writeIdHeader && name !== blockSumsHeader) {
			const key = name.slice(metadataPrefix.length);
			const value = String(headers[name]);
			if (isMetadataEntry(key, value)) {
				metadata[key] = value;
			}
		}
	}

	return metadata;
};

/** `null` is what a bucket without versioning calls its only version, which goes away with the next write. */
const toVersionId = (headers: IncomingHttpHeaders): string | undefined => {
	const versionId = headers['x-amz-version-id'];
	return typeof versionId === 'string' && versionId !== 'null' ? versionId : undefined;
};

const toStorageClass = (storageClass: string | string[] | undefined): string | undefined =>
	typeof storageClass === 'string' && storageClass !== 'STANDARD' ? storageClass : undefined;

/** The size of the whole object, also when a range of it was read: `Content-Range: bytes 0-9/100`. */
const toSizeBytes = (headers: IncomingHttpHeaders): number => {
	const range = headers['content-range'];
	return Number(range === undefined ? headers['content-length'] : range.slice(range.lastIndexOf('/') + 1));
};

/** The CRC-32 of a whole object; that of a multipart object may be of its parts' checksums instead, and says so. */
export const wholeCrc32Of = (headers: IncomingHttpHeaders): string | undefined => {
	const value = headers['x-amz-checksum-crc32'];
	return typeof value === 'string' && /^[\w+/]{6}==$/.test(value) && headers['x-amz-checksum-type'] !== 'COMPOSITE'
		? value
		: undefined;
};
