import {crc32} from 'node:zlib';
import {combineCrc32} from './crc32-combination.ts';
import {toPieces, type WriteBody} from './write-body.ts';

/**
The CRC-32 of each piece of an object, so that a part of it can be checked when it is read. S3 itself keeps checksums
of whole objects and of the parts of uploads only; so these are in the metadata of the object, which every server
keeps, and which comes with each answer that brings bytes.

A piece has 1 MiB, which is a block of the cache. Metadata has room for a few hundred checksums; where an object has
more pieces, each is twice as large, up to 8 MiB.
*/
export type BlockSums = {
	readonly sizeBytes: number;
	/** Of the upload; 0 when one request made the object. */
	readonly partCount: number;
	/** A power of two; the last piece may be shorter. */
	readonly pieceBytes: number;
	/** One for each piece; 0 when it is not known. */
	readonly crcs: Uint32Array;
};

const pieceBytesMin = 2 ** 20;
const pieceBytesMax = 2 ** 23;
const pieceCountMax = 256;

/** Objects above this size have no checksums of pieces: 2 GiB. */
export const summedBytesMax = pieceBytesMax * pieceCountMax;

/** The size of the pieces of an object; `undefined` when it is to have no checksums. */
export const toPieceBytes = (sizeBytes: number): number | undefined => {
	let pieceBytes = pieceBytesMin;
	while (sizeBytes > pieceBytes * pieceCountMax) {
		pieceBytes *= 2;
	}

	return sizeBytes === 0 || pieceBytes > pieceBytesMax ? undefined : pieceBytes;
};

/** Those of a body that one request sends. */
export const sumBody = (body: WriteBody): BlockSums | undefined => {
	const pieces = toPieces(body);
	const sizeBytes = pieces.reduce((total, {length}) => total + length, 0);
	const pieceBytes = toPieceBytes(sizeBytes);
	if (pieceBytes === undefined) {
		return undefined;
	}

	const crcs = new Uint32Array(Math.ceil(sizeBytes / pieceBytes));
	let position = 0;
	for (const bytes of pieces) {
		for (let taken = 0; taken < bytes.length; ) {
			const index = Math.floor(position / pieceBytes);
			const count = Math.min(bytes.length - taken, (index + 1) * pieceBytes - position);
			crcs[index] = crc32(bytes.subarray(taken, taken + count), crcs[index]);
			taken += count;
			position += count;
		}
	}

	return {sizeBytes, partCount: 0, pieceBytes, crcs};
};

/** The CRC-32 of the bytes [start, end); `undefined` when it cannot be told. The range must not be empty. */
export const crcOfRange = (sums: BlockSums, start: number, end: number): number | undefined => {
	const {sizeBytes, pieceBytes, crcs} = sums;
	if (start % pieceBytes !== 0 || (end % pieceBytes !== 0 && end !== sizeBytes) || end > sizeBytes) {
		return undefined;
	}

	let crc = 0;
	for (let index = start / pieceBytes; index < Math.ceil(end / pieceBytes); index++) {
		const piece = crcs[index]!; // There is one for each piece of the object.
		if (piece === 0) {
			return undefined;
		}

		crc = combineCrc32(crc, piece, Math.min(pieceBytes, sizeBytes - index * pieceBytes));
	}

	return crc;
};

/** The same with pieces of twice the size; `undefined` when these are too large, or none of them is known. */
export const coarsen = (sums: BlockSums): BlockSums | undefined => {
	const pieceBytes = sums.pieceBytes * 2;
	const count = Math.ceil(sums.sizeBytes / pieceBytes);
	const crcs = Uint32Array.from(
		{length: count},
		(_, index) => crcOfRange(sums, index * pieceBytes, Math.min((index + 1) * pieceBytes, sums.sizeBytes)) ?? 0,
	);
	return pieceBytes > pieceBytesMax || crcs.every(crc => crc === 0) ? undefined : {...sums, pieceBytes, crcs};
};

/** `<size in base 36>.<count of parts>.<binary logarithm of the size of a piece>.<CRCs, big endian, in base64url>` */
export const formatBlockSums = ({sizeBytes, partCount, pieceBytes, crcs}: BlockSums): string => {
	const bytes = Buffer.alloc(crcs.length * 4);
	for (const [index, crc] of crcs.entries()) {
		bytes.writeUInt32BE(crc, index * 4);
	}

	return `${sizeBytes.toString(36)}.${partCount}.${Math.log2(pieceBytes)}.${bytes.toString('base64url')}`;
};

/** `undefined` when the text is not what `formatBlockSums` makes. */
export const parseBlockSums = (text: string): BlockSums | undefined => {
	const match = /^([\da-z]{1,11})\.(\d{1,5})\.(2[0-3])\.([\w-]+)$/.exec(text);
	if (match === null) {
		return undefined;
	}

	const [, size, parts, exponent, data] = match as unknown as readonly [string, string, string, string, string];
	const sizeBytes = Number.parseInt(size, 36);
	const pieceBytes = 2 ** Number(exponent);
	const bytes = Buffer.from(data, 'base64url');
	const count = Math.ceil(sizeBytes / pieceBytes);
	return bytes.length === count * 4 && count > 0 && count <= pieceCountMax
		? {
				sizeBytes,
				partCount: Number(parts),
				pieceBytes,
				crcs: Uint32Array.from({length: count}, (_, index) => bytes.readUInt32BE(index * 4)),
			}
		: undefined;
};
