import type {Place} from './byte-source.ts';

/**
Places of a staging file whose bytes a layer does not show any more. They can be written to again once neither its
record in the journal nor a reader refers to them.
*/
export class ReplacedPlaces {
	#recorded: Place[] = [];
	#read: Place[] = [];

	/** The record of the layer, if there is one, still names these. */
	add(places: readonly Place[]): void {
		this.#recorded = this.#recorded.concat(places);
	}

	/** Those that a record of now does not name: `forget` them once it is written, `add` them again if it is not. */
	takeRecorded(): readonly Place[] {
		const recorded = this.#recorded;
		this.#recorded = [];
		return recorded;
	}

	/** No record names these any more. */
	forget(places: readonly Place[]): void {
		this.#read = this.#read.concat(places);
	}

	/** Those that no record names; nobody reads from the layer now. */
	takeFree(): readonly Place[] {
		const free = this.#read;
		this.#read = [];
		return free;
	}
}
