type Entry = {readonly dueMs: number /** `undefined`: the end. */; readonly data: Buffer | undefined};

/** What comes in goes out after a time, in order and however much it is, as on a long cable. */
export class DelayLine {
	readonly #delayMs: number;
	readonly #opensAtMs: number;
	readonly #deliver: (data: Buffer | undefined) => void;
	readonly #entries: Entry[] = [];
	#timer: NodeJS.Timeout | undefined;
	#heldBytes = 0;

	/** With `closedMs`, what comes in during that time sets out only when it is over. */
	constructor({
		delayMs,
		closedMs = 0,
		deliver,
	}: {
		delayMs: number;
		closedMs?: number;
		deliver: (data: Buffer | undefined) => void;
	}) {
		this.#delayMs = delayMs;
		this.#opensAtMs = performance.now() + closedMs;
		this.#deliver = deliver;
	}

	/** How much is on its way. */
	get heldBytes(): number {
		return this.#heldBytes;
	}

	/** `undefined` is the end. */
	push(data: Buffer | undefined): void {
		const nowMs = performance.now();
		const dueMs = Math.max(nowMs, this.#opensAtMs) + this.#delayMs;
		if (dueMs <= nowMs && this.#entries.length === 0) {
			this.#deliver(data);
			return;
		}

		this.#entries.push({dueMs, data});
		this.#heldBytes += data?.length ?? 0;
		this.#wait();
	}

	/** Forgets what is on its way. */
	clear(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#entries.length = 0;
		this.#heldBytes = 0;
	}

	#wait(): void {
		const first = this.#entries[0];
		if (first !== undefined && this.#timer === undefined) {
			// A timer counts in whole milliseconds, and comes late rather than early.
			this.#timer = setTimeout(() => this.#deliverDue(), Math.max(0, Math.floor(first.dueMs - performance.now())));
		}
	}

	#deliverDue(): void {
		this.#timer = undefined;
		const nowMs = performance.now();
		for (let first = this.#entries[0]; first !== undefined && first.dueMs <= nowMs; first = this.#entries[0]) {
			this.#entries.shift();
			this.#heldBytes -= first.data?.length ?? 0;
			this.#deliver(first.data);
		}

		this.#wait();
	}
}
