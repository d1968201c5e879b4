import type {Place} from './byte-source.ts';
import {ExtentMap} from './extent-map.ts';

/**
The places of a staging file that bytes can be written to again, because neither a layer nor its record in the journal
names what is there. Neighbours become one place.
*/
export class FreePlaces {
	readonly #places = new ExtentMap();
	/** No place has so many bytes. A search that found none need not be repeated until a place is given. */
	#tooManyBytes = Number.POSITIVE_INFINITY;

	/** Gives a place back. */
	give({position, bytes}: Place): void {
		this.#places.set(position, position + bytes, {kind: 'zero'});
		this.#tooManyBytes = Number.POSITIVE_INFINITY;
	}

	/** The position of the first place with so many bytes, which is not free from now on. */
	take(bytes: number): number | undefined {
		if (bytes >= this.#tooManyBytes) {
			return undefined;
		}

		const place = this.#places.extents.find(({start, end}) => end - start >= bytes);
		if (place === undefined) {
			this.#tooManyBytes = bytes;
			return undefined;
		}

		this.#places.clear(place.start, place.start + bytes);
		return place.start;
	}

	/** Takes the place away that lies before the end of the file; the answer is the new end. */
	trim(endPosition: number): number {
		const last = this.#places.extents.at(-1);
		if (last?.end !== endPosition) {
			return endPosition;
		}

		this.#places.truncate(last.start);
		return last.start;
	}
}
