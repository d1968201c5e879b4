import assert from 'node:assert/strict';
import type {ObjectVersion} from '../store/object-store.ts';
import type {Extent, Piece} from './extent-map.ts';

/** What lay below a layer was the object `before` and bytes appended to it, which are further on in `after` now. */
export type KeptView = {
	readonly before: ObjectVersion | undefined;
	readonly after: ObjectVersion;
	readonly appendedFrom: number;
	readonly movedBytes: number;
};

/** What shows from below, `lowerBytes` of it, where it is now. `slice` says what the layer has of a range. */
export const toKeptExtents = (
	{before, after, appendedFrom, movedBytes}: KeptView,
	lowerBytes: number,
	slice: (start: number, end: number) => readonly Piece[],
): Extent[] => {
	const border = Math.min(appendedFrom, lowerBytes);
	// The journal names the object with each of the extents, which may be many.
	const [older, newer] = [before && {...before, blockSums: undefined}, {...after, blockSums: undefined}];
	return [...slice(0, border), ...slice(border, lowerBytes)].flatMap(({start, end, source}): Extent[] => {
		if (source !== undefined) {
			return [];
		}

		const [object, objectOffset] = start < border ? [older, start] : [newer, start + movedBytes];
		assert(object !== undefined, 'bytes before the appended ones are in an object');
		return [{start, end, source: {kind: 'object', object, objectOffset}}];
	});
};
