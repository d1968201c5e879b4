/** Lets a limited number run at once; the others wait in the order in which they came. */
export class Semaphore {
	#free: number;
	readonly #waiting: Array<{count: number; grant: () => void}> = [];
	readonly #countMax: number;

	constructor(countMax: number) {
		this.#free = countMax;
		this.#countMax = countMax;
	}

	/** Waits for `count` places (at most all of them) and gives back the function that frees them. */
	async acquire(count = 1): Promise<() => void> {
		const wanted = Math.min(count, this.#countMax);
		if (this.#free < wanted || this.#waiting.length > 0) {
			await new Promise<void>(resolve => {
				this.#waiting.push({count: wanted, grant: resolve});
			});
		} else {
			this.#free -= wanted;
		}

		let isHeld = true;
		return () => {
			if (isHeld) {
				isHeld = false;
				this.#release(wanted);
			}
		};
	}

	/** Runs a task in a place of its own. */
	async run<Result>(task: () => Promise<Result>, count = 1): Promise<Result> {
		const release = await this.acquire(count);
		try {
			return await task();
		} finally {
			release();
		}
	}

	#release(count: number): void {
		this.#free += count;
		for (let next = this.#waiting[0]; next !== undefined && next.count <= this.#free; next = this.#waiting[0]) {
			this.#waiting.shift();
			this.#free -= next.count;
			next.grant();
		}
	}
}

/** Runs a task for each item, `countMax` at once; the first failure ends the rest before they start. */
export const forEachParallel = async <Item>(
	items: Iterable<Item>,
	countMax: number,
	task: (item: Item) => Promise<void>,
): Promise<void> => {
	const iterator = items[Symbol.iterator]();
	let hasFailed = false;
	const worker = async () => {
		for (let next = iterator.next(); next.done !== true && !hasFailed; next = iterator.next()) {
			try {
				await task(next.value);
			} catch (error) {
				hasFailed = true;
				throw error;
			}
		}
	};

	const results = await Promise.allSettled(Array.from({length: countMax}, worker));
	for (const result of results) {
		if (result.status === 'rejected') {
			throw result.reason;
		}
	}
};
