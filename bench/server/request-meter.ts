/** What passed a proxy since the last reset. */
export type RequestCount = {
	readonly requests: number;
	/** Everything that clients sent, headers included. */
	readonly sentBytes: number;
	readonly receivedBytes: number;
	/** The most requests of which each began after the one before was answered. */
	readonly chain: number;
	/** Those of `requests` that change something: neither GET nor HEAD. */
	readonly writes: number;
	/** Those that wait for their answer, whenever they began. */
	readonly openWrites: number;
};

/** Counts requests. Beginnings and answers are numbered as they happen; no clock has a say. */
export class RequestMeter {
	#order = 0;
	#requests = 0;
	#sentBytes = 0;
	#receivedBytes = 0;
	#chain = 0;
	#writes = 0;
	#openWrites = 0;
	/** The number of the answer that ends the chain so far. */
	#chainEnd = 0;

	/** A request has come in: the number of its beginning. */
	begin(method: string): number {
		this.#requests++;
		if (isWrite(method)) {
			this.#writes++;
			this.#openWrites++;
		}

		return ++this.#order;
	}

	/** The last byte of its answer has passed. One that began before the last reset counts for nothing. */
	answer(began: number, method: string): void {
		this.drop(method);
		const answered = ++this.#order;
		// In the order of the answers, taking each that began after the last one taken gives the longest chain.
		if (began > this.#chainEnd) {
			this.#chain++;
			this.#chainEnd = answered;
		}
	}

	/** Its connection has ended without an answer. */
	drop(method: string): void {
		this.#openWrites -= isWrite(method) ? 1 : 0;
	}

	addSent(bytes: number): void {
		this.#sentBytes += bytes;
	}

	addReceived(bytes: number): void {
		this.#receivedBytes += bytes;
	}

	read(): RequestCount {
		return {
			requests: this.#requests,
			sentBytes: this.#sentBytes,
			receivedBytes: this.#receivedBytes,
			chain: this.#chain,
			writes: this.#writes,
			openWrites: this.#openWrites,
		};
	}

	reset(): void {
		this.#requests = 0;
		this.#sentBytes = 0;
		this.#receivedBytes = 0;
		this.#chain = 0;
		this.#writes = 0;
		this.#chainEnd = ++this.#order;
	}
}

const isWrite = (method: string): boolean => method !== 'GET' && method !== 'HEAD';
