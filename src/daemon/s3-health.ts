import type {S3RequestEvent} from '../store/s3-connection.ts';

/**
A volume that nobody uses sends no request that could end its failure. A program that waits for S3 sends requests far
more often than that.
*/
const failureMsMax = 5 * 60_000;

/** Whether S3 answers, judged by the requests that were made anyway. */
export class S3Health {
	readonly #nowMs: () => number;
	#failure: {readonly atMs: number; readonly message: string} | undefined;

	constructor(nowMs: () => number = Date.now) {
		this.#nowMs = nowMs;
	}

	/**
	The newest request, when it failed because S3 did not answer or could not serve it; gone with the first that
	succeeds, and after five minutes without any.
	*/
	get failure(): {readonly atMs: number; readonly message: string} | undefined {
		return this.#failure !== undefined && this.#nowMs() - this.#failure.atMs < failureMsMax ? this.#failure : undefined;
	}

	note({operation, status}: S3RequestEvent): void {
		if (status === 0) {
			this.#failure = {
				atMs: this.#nowMs(),
				message: `S3 did not answer ${operation}: check the endpoint and the network`,
			};
		} else if (status >= 500) {
			this.#failure = {
				atMs: this.#nowMs(),
				message: `S3 answered ${operation} with status ${status}: check the service`,
			};
		} else {
			this.#failure = undefined;
		}
	}
}
