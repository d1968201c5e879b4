/** Tells who wants to know it which bytes of a layer change. */
export class LayerChanges {
	#listener: ((start: number, end: number) => void) | undefined;

	/** One listener at a time: it is called before bytes of [start, end) change, and again when they have. */
	listen(listener: ((start: number, end: number) => void) | undefined): void {
		this.#listener = listener;
	}

	note(start: number, end = Number.POSITIVE_INFINITY): void {
		this.#listener?.(start, end);
	}
}
