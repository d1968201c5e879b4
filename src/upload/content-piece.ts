import type {ObjectVersion} from '../store/object-store.ts';
import {type ByteSource, advanceSource} from './byte-source.ts';

/** A stretch of a file. A content is a list of them, in order and without gaps. */
export type ContentPiece = {readonly bytes: number; readonly source: ByteSource};

/** Fills the target with bytes of a version of an object. */
export type ReadObject = (object: ObjectVersion, offset: number, target: Uint8Array) => Promise<void>;

export const contentBytes = (content: readonly ContentPiece[]): number =>
	content.reduce((total, piece) => total + piece.bytes, 0);

/** The bytes [start, end) of an object. */
export const pieceOfObject = (object: ObjectVersion, start: number, end: number): ContentPiece => ({
	bytes: end - start,
	source: {kind: 'object', object, objectOffset: start},
});

/** The bytes [start, end) of a piece. */
export const cutPiece = (piece: ContentPiece, start: number, end: number): ContentPiece => ({
	bytes: end - start,
	source: advanceSource(piece.source, start),
});

/** The bytes [start, end) of a content. */
export const cutContent = (content: readonly ContentPiece[], start: number, end: number): ContentPiece[] => {
	const pieces: ContentPiece[] = [];
	let position = 0;
	for (const piece of content) {
		const from = Math.max(start, position);
		const to = Math.min(end, position + piece.bytes);
		if (from < to) {
			pieces.push(cutPiece(piece, from - position, to - position));
		}

		position += piece.bytes;
	}

	return pieces;
};

/** Fills the target with a content. Layers that it is in stay readable until the end. */
export const readContent = async (
	content: readonly ContentPiece[],
	target: Uint8Array,
	readObject: ReadObject,
): Promise<void> => {
	// Before anything is waited for: a layer that S3 has is removed as soon as nobody reads from it.
	const layers = content.flatMap(({source}) => (source.kind === 'local' ? [source.layer] : []));
	for (const layer of layers) {
		layer.pin();
	}

	try {
		let filledBytes = 0;
		for (const {bytes, source} of content) {
			await readSource(source, target.subarray(filledBytes, filledBytes + bytes), readObject);
			filledBytes += bytes;
		}
	} finally {
		for (const layer of layers) {
			layer.unpin();
		}
	}
};

const readSource = async (source: ByteSource, target: Uint8Array, readObject: ReadObject): Promise<void> => {
	switch (source.kind) {
		case 'local': {
			await source.layer.read(source.position, target);
			break;
		}

		case 'zero': {
			target.fill(0);
			break;
		}

		case 'object': {
			await readObject(source.object, source.objectOffset, target);
			break;
		}
	}
};
