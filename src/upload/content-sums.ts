import {crc32} from 'node:zlib';
import {type BlockSums, crcOfRange, formatBlockSums, parseBlockSums, toPieceBytes} from '../store/block-sums.ts';
import {combineCrc32} from '../store/crc32-combination.ts';
import {type ContentPiece, type ReadObject, contentBytes, cutPiece, readContent} from './content-piece.ts';

export type ContentSumsOptions = {
	readonly readObject: ReadObject;
	/** Of the upload. */
	readonly partCount: number;
	/** Lends memory for this many bytes. */
	readonly lend: <Result>(bytes: number, task: (buffer: Buffer) => Promise<Result>) => Promise<Result>;
};

/**
The checksums of a content, for its metadata, which has to be sent before its bytes: what layers remember of what was
written to them, what the metadata of objects says of bytes that S3 copies, and what is read for it. Bytes of objects
are read only where they share a piece with changed ones, and only a few; other pieces that nothing is known of stay
unknown. `undefined` when nothing is known, or the content is too large.
*/
export const sumContent = async (
	content: readonly ContentPiece[],
	{readObject, partCount, lend}: ContentSumsOptions,
): Promise<string | undefined> => {
	const sizeBytes = contentBytes(content);
	const pieceBytes = toPieceBytes(sizeBytes);
	if (pieceBytes === undefined) {
		return undefined;
	}

	const crcs = new Uint32Array(Math.ceil(sizeBytes / pieceBytes));
	await lend(readBytes, async buffer => {
		const summing = new Summing(readObject, buffer);
		for (const [index, part] of [...cutAtEach(content, pieceBytes)].entries()) {
			crcs[index] = (await summing.sum(part)) ?? 0;
		}
	});
	return crcs.every(crc => crc === 0) ? undefined : formatBlockSums({sizeBytes, partCount, pieceBytes, crcs});
};

/** What is read at a time. */
const readBytes = 2 ** 20;
/** So many bytes of objects may be read to sum what is changed in part. */
const objectBytesMax = 2 ** 24;

class Summing {
	readonly #readObject: ReadObject;
	readonly #buffer: Buffer;
	readonly #known = new Map<string, BlockSums | undefined>();
	#objectBytes = 0;

	constructor(readObject: ReadObject, buffer: Buffer) {
		this.#readObject = readObject;
		this.#buffer = buffer;
	}

	/** The CRC-32 of all bytes of these stretches; `undefined` when it is not known. */
	async sum(stretches: readonly ContentPiece[]): Promise<number | undefined> {
		const isCopied = stretches.every(({source}) => source.kind === 'object');
		let crc = 0;
		for (const stretch of stretches) {
			const known = this.#find(stretch);
			if (known === undefined && !this.#mayRead(stretch, {isCopied})) {
				return undefined;
			}

			crc = known === undefined ? await this.#read(stretch, crc) : combineCrc32(crc, known, stretch.bytes);
		}

		return crc;
	}

	#find({bytes, source}: ContentPiece): number | undefined {
		switch (source.kind) {
			case 'local': {
				return source.layer.crcOf(source.position, bytes);
			}

			case 'zero': {
				return undefined;
			}

			case 'object': {
				const {blockSums = ''} = source.object;
				if (!this.#known.has(blockSums)) {
					this.#known.set(blockSums, parseBlockSums(blockSums));
				}

				const sums = this.#known.get(blockSums);
				return sums && crcOfRange(sums, source.objectOffset, source.objectOffset + bytes);
			}
		}
	}

	#mayRead({bytes, source}: ContentPiece, {isCopied}: {isCopied: boolean}): boolean {
		if (source.kind !== 'object') {
			return true;
		}

		this.#objectBytes += bytes;
		return !isCopied && this.#objectBytes <= objectBytesMax;
	}

	/** Goes on with a CRC. */
	async #read(stretch: ContentPiece, previous: number): Promise<number> {
		let crc = previous;
		for (let start = 0; start < stretch.bytes; start += readBytes) {
			const bytes = Math.min(readBytes, stretch.bytes - start);
			const target = this.#buffer.subarray(0, bytes);
			await readContent([cutPiece(stretch, start, start + bytes)], target, this.#readObject);
			crc = crc32(target, crc);
		}

		return crc;
	}
}

/** A content in pieces of this size, each as its stretches; the last may be shorter. */
function* cutAtEach(content: readonly ContentPiece[], pieceBytes: number): Generator<readonly ContentPiece[]> {
	let piece: ContentPiece[] = [];
	let filledBytes = 0;
	for (const stretch of content) {
		for (let start = 0; start < stretch.bytes; ) {
			const bytes = Math.min(stretch.bytes - start, pieceBytes - filledBytes);
			piece.push(cutPiece(stretch, start, start + bytes));
			start += bytes;
			filledBytes += bytes;
			if (filledBytes === pieceBytes) {
				yield piece;
				piece = [];
				filledBytes = 0;
			}
		}
	}

	if (piece.length > 0) {
		yield piece;
	}
}
