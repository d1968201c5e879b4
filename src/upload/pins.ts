/** How many readers there are. */
export class Pins {
	readonly #onNone: () => void;
	#count = 0;
	#unpinned: (() => void) | undefined;

	/** `onNone` is called when the last one is done, and by `whenNone`. */
	constructor(onNone: () => void) {
		this.#onNone = onNone;
	}

	get isPinned(): boolean {
		return this.#count > 0;
	}

	pin(): void {
		this.#count++;
	}

	unpin(): void {
		this.#count--;
		this.whenNone();
	}

	/** Calls `onNone` unless there are readers, whose last one does it then. */
	whenNone(): void {
		if (this.#count === 0) {
			this.#onNone();
			this.#unpinned?.();
		}
	}

	/** Resolves when there are no readers. */
	async none(): Promise<void> {
		if (this.#count > 0) {
			await new Promise<void>(resolve => {
				this.#unpinned = resolve;
			});
		}
	}
}
