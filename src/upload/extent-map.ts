import assert from 'node:assert/strict';
import {type ExtentSource, type Place, advanceSource} from './byte-source.ts';

/**
Which bytes of a file were changed, and where each changed byte is to be found. Extents are sorted, never
overlap, and adjacent ones of one source are merged where the source allows it.
*/

export type Extent = {readonly start: number; readonly end: number; readonly source: ExtentSource};

/** A stretch of a range: changed, or not (`undefined`). */
export type Piece = {readonly start: number; readonly end: number; readonly source: ExtentSource | undefined};

export class ExtentMap {
	#extents: Extent[] = [];

	get extents(): readonly Extent[] {
		return this.#extents;
	}

	get isEmpty(): boolean {
		return this.#extents.length === 0;
	}

	get count(): number {
		return this.#extents.length;
	}

	/** Bytes that are covered by local extents. */
	get localBytes(): number {
		let bytes = 0;
		for (const extent of this.#extents) {
			bytes += extent.source.kind === 'local' ? extent.end - extent.start : 0;
		}

		return bytes;
	}

	/** The source of [start, end) is this from now on. */
	set(start: number, end: number, source: ExtentSource): void {
		if (start >= end) {
			return;
		}

		const last = this.#extents.at(-1);
		// Sequential writes are nearly all there is: grow the last extent in place.
		if (last !== undefined && last.start <= start && last.end >= start && doesContinue(last, {start, source})) {
			this.#extents[this.#extents.length - 1] = {...last, end: Math.max(last.end, end)};
			return;
		}

		if (last === undefined || last.end < start) {
			this.#extents.push({start, end, source});
			return;
		}

		this.#replace(start, end, {start, end, source});
	}

	/** Nothing in [start, end) is changed any more. */
	clear(start: number, end: number): void {
		this.#replace(start, end, undefined);
	}

	/** Nothing at or after this offset is changed any more. */
	truncate(sizeBytes: number): void {
		this.clear(sizeBytes, Number.POSITIVE_INFINITY);
	}

	/** The pieces of [start, end) in order, without gaps. */
	slice(start: number, end: number): Piece[] {
		const pieces: Piece[] = [];
		let position = start;
		for (let index = this.#firstEndingAfter(start); index < this.#extents.length && position < end; index++) {
			const extent = this.#extents[index]!; // The loop's bound.
			if (extent.start >= end) {
				break;
			}

			if (extent.start > position) {
				pieces.push({start: position, end: extent.start, source: undefined});
				position = extent.start;
			}

			const pieceEnd = Math.min(extent.end, end);
			pieces.push({start: position, end: pieceEnd, source: advanceSource(extent.source, position - extent.start)});
			position = pieceEnd;
		}

		if (position < end) {
			pieces.push({start: position, end, source: undefined});
		}

		return pieces;
	}

	/** Where the local bytes of [start, end) stand. */
	places(start: number, end: number): Place[] {
		return this.slice(start, end).flatMap(piece =>
			piece.source?.kind === 'local' ? [{position: piece.source.position, bytes: piece.end - piece.start}] : [],
		);
	}

	/** Where bytes for [start, end) go: over local ones that it has, the others to their offset and `originPosition`. */
	placesToWrite(start: number, end: number, originPosition: number): Place[] {
		const places: Place[] = [];
		for (const piece of this.slice(start, end)) {
			const position = piece.source?.kind === 'local' ? piece.source.position : originPosition + piece.start;
			const last = places.at(-1);
			if (last !== undefined && last.position + last.bytes === position) {
				places[places.length - 1] = {...last, bytes: last.bytes + piece.end - piece.start};
			} else {
				places.push({position, bytes: piece.end - piece.start});
			}
		}

		return places;
	}

	/**
	What these extents show over this map it shows by itself from now on; their local bytes are at these places. The
	answer: the places whose bytes it does not show any more.
	*/
	overlay(extents: readonly Extent[], localPlaces: readonly Place[]): Place[] {
		const replaced: Place[][] = [];
		let localCount = 0;
		for (const {start, end, source} of extents) {
			replaced.push(this.places(start, end));
			if (source.kind === 'local') {
				const place = localPlaces[localCount++];
				assert(place?.bytes === end - start, 'each local extent has a place of its size');
				this.set(start, end, {kind: 'local', position: place.position});
			} else {
				this.set(start, end, source);
			}
		}

		return replaced.flat();
	}

	/** All extents moved by so many bytes. */
	shifted(bytes: number): ExtentMap {
		const map = new ExtentMap();
		map.#extents = this.#extents.map(extent => ({...extent, start: extent.start + bytes, end: extent.end + bytes}));
		return map;
	}

	toJSON(): readonly Extent[] {
		return this.#extents;
	}

	static from(extents: readonly Extent[]): ExtentMap {
		const map = new ExtentMap();
		for (const {start, end, source} of extents) {
			map.set(start, end, source);
		}

		return map;
	}

	#replace(start: number, end: number, replacement: Extent | undefined): void {
		const kept: Extent[] = [];
		let first = this.#firstEndingAfter(start);
		const head = this.#extents[first];
		const from = first;
		if (head !== undefined && head.start < start) {
			kept.push({start: head.start, end: start, source: head.source});
		}

		if (replacement !== undefined) {
			kept.push(replacement);
		}

		while (first < this.#extents.length && this.#extents[first]!.start < end) {
			const extent = this.#extents[first]!; // The loop's bound.
			if (extent.end > end) {
				kept.push({start: end, end: extent.end, source: advanceSource(extent.source, end - extent.start)});
			}

			first++;
		}

		this.#extents.splice(from, first - from, ...kept);
		this.#mergeAround(from, kept.length);
	}

	#mergeAround(from: number, count: number): void {
		for (let index = Math.min(from + count, this.#extents.length - 1); index >= Math.max(from, 1); index--) {
			const left = this.#extents[index - 1]!;
			const right = this.#extents[index]!; // Both are within the bounds of the loop.
			if (left.end === right.start && doesContinue(left, right)) {
				this.#extents.splice(index - 1, 2, {...left, end: right.end});
			}
		}
	}

	/** Binary search: the first extent whose end lies after the offset. */
	#firstEndingAfter(offset: number): number {
		let low = 0;
		let high = this.#extents.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#extents[middle]!.end > offset) {
				high = middle;
			} else {
				low = middle + 1;
			}
		}

		return low;
	}
}

/** Whether a source is that of an extent, further on: they are one then. */
const doesContinue = (
	left: Pick<Extent, 'start' | 'source'>,
	{start, source}: Pick<Extent, 'start' | 'source'>,
): boolean =>
	left.source.kind === 'local'
		? source.kind === 'local' && source.position - left.source.position === start - left.start
		: left.source.kind === 'zero' && source.kind === 'zero';
