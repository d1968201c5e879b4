import type {ObjectHead} from '../store/object-store.ts';
import {type ContentPiece, pieceOfObject} from './content-piece.ts';
import type {StagedLayer} from './staged-layer.ts';

/**
Where the bytes [start, end) are, in these layers, the oldest first, or in the object below them. A loop, as there may
be thousands of layers.
*/
export const resolveLayers = (
	layers: readonly StagedLayer[],
	base: ObjectHead | undefined,
	start: number,
	end: number,
): ContentPiece[] => {
	let content: Array<ContentPiece | Range> = [{start, end}];
	for (let index = layers.length - 1; index >= 0 && content.some(isRange); index--) {
		const layer = layers[index]!; // The loop's bound.
		content = content.flatMap(piece =>
			isRange(piece) ? layer.resolve(piece.start, piece.end, (from, to): Range[] => [{start: from, end: to}]) : [piece],
		);
	}

	return content.map(piece => (isRange(piece) ? resolveBase(base, piece) : piece));
};

/** What is to be looked for further down. */
type Range = {readonly start: number; readonly end: number};

const isRange = (piece: ContentPiece | Range): piece is Range => 'start' in piece;

const resolveBase = (base: ObjectHead | undefined, {start, end}: Range): ContentPiece =>
	base === undefined ? {bytes: end - start, source: {kind: 'zero'}} : pieceOfObject(base, start, end);
