import type {ByteRange, ObjectVersion} from '../store/object-store.ts';
import {type ContentPiece, contentBytes, cutContent, cutPiece, pieceOfObject} from './content-piece.ts';

/**
How the bytes of a file get into S3: one PUT, or the parts of a multipart upload, with as many bytes as
possible copied on the server. A plan is pure: `uploader.ts` carries it out.
*/

/** Limits of S3 (Amazon S3 User Guide, "Amazon S3 multipart upload limits"). */
export const partBytesMin = 5 * 2 ** 20;
export const partBytesMax = 5 * 2 ** 30;
export const partCountMax = 10_000;
export const objectBytesMax = 5 * 2 ** 40;

/** The server copies a range of an object. */
type CopiedPart = {
	readonly kind: 'copy';
	readonly object: ObjectVersion;
	readonly start: number;
	readonly end: number;
};

export type PlannedPart =
	| CopiedPart
	/** We send the bytes of these pieces. */
	| {readonly kind: 'send'; readonly bytes: number; readonly pieces: readonly ContentPiece[]};

export type UploadPlan =
	| {readonly kind: 'put'; readonly bytes: number; readonly pieces: readonly ContentPiece[]}
	/** The object is exactly another object: one server-side copy. */
	| {readonly kind: 'copy'; readonly object: ObjectVersion}
	| {readonly kind: 'multipart'; readonly parts: readonly PlannedPart[]};

/**
Plans an upload of the given content. `partBytes` grows where 10,000 parts of it would not be enough.
`hasEqualParts`: for servers that take no others, but for the last (Cloudflare R2). A `RangeError` says that the object
is larger than S3 takes.
*/
export const planUpload = (
	content: readonly ContentPiece[],
	options: {partBytes: number; hasEqualParts?: boolean},
): UploadPlan => {
	const totalBytes = contentBytes(content);
	if (totalBytes > objectBytesMax) {
		throw new RangeError(
			`Cannot plan upload as an object of S3 must be <= ${objectBytesMax} bytes: current value is ${totalBytes}`,
		);
	}

	const only = content.length === 1 ? content[0] : undefined;
	if (
		only?.source.kind === 'object' &&
		only.source.objectOffset === 0 &&
		only.bytes === only.source.object.sizeBytes &&
		only.bytes > 0 &&
		only.bytes <= partBytesMax
	) {
		return {kind: 'copy', object: only.source.object};
	}

	if (totalBytes <= options.partBytes) {
		return {kind: 'put', bytes: totalBytes, pieces: content};
	}

	const partBytes = growPartBytes(totalBytes, options.partBytes);
	if (options.hasEqualParts === true) {
		return {kind: 'multipart', parts: planEqualParts(content, partBytes)};
	}

	let parts = planParts(content, {partBytes, copyBytesMin: partBytesMin});
	for (let copyBytesMin = 2 * partBytesMin; parts.length > partCountMax; copyBytesMin *= 2) {
		// Many short stretches to copy: the shorter ones are sent with what lies between them.
		parts = planParts(content, {partBytes, copyBytesMin});
	}

	return {kind: 'multipart', parts};
};

/** The size of the parts of an object so that it has 10,000 of them at most; a multiple of 1 MiB once it grew. */
export const growPartBytes = (totalBytes: number, partBytes: number): number => {
	// Copied ranges may leave a remainder of their own at each border: plan for a tenth of them.
	const needed = Math.ceil(totalBytes / (partCountMax * 0.9));
	return needed <= partBytes ? partBytes : Math.ceil(needed / 2 ** 20) * 2 ** 20;
};

/** Fewer bytes are copied on the server than in parts of any size: only what fills a whole part. */
const planEqualParts = (content: readonly ContentPiece[], partBytes: number): PlannedPart[] =>
	toEqualRanges(contentBytes(content), partBytes).map(({start, end}) => {
		const pieces = cutContent(content, start, end);
		const source = pieces.length === 1 ? pieces[0]?.source : undefined;
		return source?.kind === 'object'
			? {
					kind: 'copy',
					object: source.object,
					start: source.objectOffset,
					end: source.objectOffset + end - start,
				}
			: {kind: 'send', bytes: end - start, pieces};
	});

/** Ranges of one size, the last of which may be shorter. */
const toEqualRanges = (totalBytes: number, stride: number): ByteRange[] =>
	Array.from({length: Math.ceil(totalBytes / stride)}, (_, index) => ({
		start: index * stride,
		end: Math.min((index + 1) * stride, totalBytes),
	}));

const planParts = (
	content: readonly ContentPiece[],
	{partBytes, copyBytesMin}: {partBytes: number; copyBytesMin: number},
): PlannedPart[] => {
	const parts: PlannedPart[] = [];
	let pending: ContentPiece[] = [];
	let pendingBytes = 0;
	const take = (piece: ContentPiece) => {
		pending.push(piece);
		pendingBytes += piece.bytes;
	};

	const flush = () => {
		if (pendingBytes > 0) {
			parts.push({kind: 'send', bytes: pendingBytes, pieces: pending});
			pending = [];
			pendingBytes = 0;
		}
	};

	for (const [index, whole] of content.entries()) {
		let piece = whole;
		const isLast = index === content.length - 1;
		if (piece.source.kind === 'object') {
			const {object, objectOffset} = piece.source;
			// What is pending must become a part of legal size before a copied part may follow it.
			let missing = pendingBytes === 0 ? 0 : Math.max(0, partBytesMin - pendingBytes);
			const copyable = piece.bytes - missing;
			if (copyable >= copyBytesMin || (isLast && copyable > 0 && missing === 0)) {
				if (missing > 0) {
					const before = takeBack(parts, {end: objectOffset + missing, pendingBytes, missing, partBytes, object});
					pending.unshift(...before);
					pendingBytes += contentBytes(before);
					missing -= contentBytes(before);
					take(cutPiece(piece, 0, missing));
				}

				flush();
				parts.push(...planCopies(object, objectOffset + missing, objectOffset + piece.bytes));
				continue;
			}
		}

		while (pendingBytes + piece.bytes >= partBytes) {
			const room = partBytes - pendingBytes;
			take(cutPiece(piece, 0, room));
			flush();
			piece = cutPiece(piece, room, piece.bytes);
		}

		if (piece.bytes > 0) {
			take(piece);
		}
	}

	flush();
	return parts;
};

/**
A part that is sent needs bytes around a changed stretch. They are read in ranges that begin at multiples of
`partBytes`: where those behind it would be of two ranges, some before it are taken from the copy there instead.
*/
const takeBack = (
	parts: PlannedPart[],
	{
		end,
		pendingBytes,
		missing,
		partBytes,
		object,
	}: {end: number; pendingBytes: number; missing: number; partBytes: number; object: ObjectVersion},
): ContentPiece[] => {
	const copy = parts.at(-1);
	const bytes = end - Math.floor((end - 1) / partBytes) * partBytes;
	if (
		bytes >= missing ||
		copy?.kind !== 'copy' ||
		copy.object !== object ||
		copy.end + pendingBytes + missing !== end ||
		copy.end - bytes - copy.start < partBytesMin
	) {
		return [];
	}

	parts[parts.length - 1] = {...copy, end: copy.end - bytes};
	return [pieceOfObject(object, copy.end - bytes, copy.end)];
};

/** The copies of a whole object, in parts of equal size. */
export const planWholeCopy = (object: ObjectVersion): CopiedPart[] =>
	toEqualRanges(object.sizeBytes, Math.max(2 ** 30, growPartBytes(object.sizeBytes, partBytesMin))).map(range => ({
		kind: 'copy',
		object,
		...range,
	}));

/**
The copies of the bytes [start, end) of an object: of 1 GiB each, so that one slow copy does not hold up all; none but
the last below 5 MiB.
*/
const planCopies = (object: ObjectVersion, start: number, end: number): CopiedPart[] => {
	const stride = Math.max(2 ** 30, growPartBytes(end - start, partBytesMin));
	const copies: CopiedPart[] = [];
	for (let position = start; position < end; ) {
		const next = end - position < stride + partBytesMin ? end : position + stride;
		copies.push({kind: 'copy', object, start: position, end: next});
		position = next;
	}

	return copies;
};
