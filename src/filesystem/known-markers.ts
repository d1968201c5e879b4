import {BoundedMap} from '../model/bounded-map.ts';

/** Directories that had a marker object a short while ago: they stay when their last file goes. */
export class KnownMarkers {
	readonly #trustedUntilMs = new BoundedMap<string, number>({countMax: markerCountMax});
	readonly #now: () => number;

	constructor({now}: {now: () => number}) {
		this.#now = now;
	}

	has(directory: string): boolean {
		return (this.#trustedUntilMs.get(directory) ?? 0) > this.#now();
	}

	note(directory: string): void {
		this.#trustedUntilMs.set(directory, this.#now() + markerTrustMs);
	}

	forget(directory: string): void {
		this.#trustedUntilMs.delete(directory);
	}
}

const markerCountMax = 10_000;
const markerTrustMs = 30_000;
