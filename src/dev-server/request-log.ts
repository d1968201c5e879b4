import {doesKeyMatch} from './fault-plan.ts';

/** One request, from the moment it came in. */
export type LoggedRequest = {
	readonly operation: string;
	readonly bucket: string;
	readonly key: string;
	readonly atMs: number;
	readonly range?: string | undefined;
	/** Its place among all beginnings and answers of the log: what is dependent on an answer has a higher number. */
	readonly beganOrder: number;
	/** The same of its answer, as it is sent; 0 until then, and when there never was one. */
	answeredOrder: number;
	/** 0 until it is answered, and when it never was. */
	status: number;
	/** The error's code, when it was refused. */
	code?: string | undefined;
	durationMs: number;
};

export type RequestFilter = {
	operation?: string | undefined /** As in a fault: beginning or expression. */;
	key?: string | RegExp | undefined;
};

const entryCountMax = 10_000;

/** The requests that came in: the newest 10,000 in full, and exact counts by operation. */
export class RequestLog {
	// A ring: `#next` is where the next entry goes.
	#entries: LoggedRequest[] = [];
	#next = 0;
	#order = 0;
	readonly #counts = new Map<string, number>();

	add(request: Pick<LoggedRequest, 'operation' | 'bucket' | 'key' | 'atMs' | 'range'>): LoggedRequest {
		const entry: LoggedRequest = {...request, beganOrder: ++this.#order, answeredOrder: 0, status: 0, durationMs: 0};
		this.#entries[this.#next] = entry;
		this.#next = (this.#next + 1) % entryCountMax;
		this.#counts.set(entry.operation, (this.#counts.get(entry.operation) ?? 0) + 1);
		return entry;
	}

	/** To be called before the first byte of the answer is sent. */
	answer(entry: LoggedRequest, status: number): void {
		entry.status = status;
		entry.answeredOrder = ++this.#order;
	}

	/** How many came in; with a key, how many of the newest 10,000. */
	count(filter: RequestFilter = {}): number {
		if (filter.key !== undefined) {
			return this.list(filter).length;
		}

		return filter.operation === undefined
			? [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
			: (this.#counts.get(filter.operation) ?? 0);
	}

	/** Exact, by operation. */
	counts(): Record<string, number> {
		return Object.fromEntries(this.#counts);
	}

	/** The newest 10,000, oldest first. */
	list({operation, key}: RequestFilter = {}): LoggedRequest[] {
		const ordered =
			this.#entries.length < entryCountMax
				? this.#entries
				: [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)];
		return ordered.filter(
			entry => (operation === undefined || entry.operation === operation) && doesKeyMatch(key, entry.key),
		);
	}

	clear(): void {
		this.#entries = [];
		this.#next = 0;
		this.#counts.clear();
	}
}
