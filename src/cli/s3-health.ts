import type {S3RequestEvent} from '../store/s3-connection.ts';

/** Whether S3 answers, from the requests that were made anyway. */
export class S3Health {
	#failure: {readonly atMs: number; readonly message: string} | undefined;

	/** The newest request, when it failed because S3 did not answer or could not serve it; gone with the first that succeeds. */
	get failure(): {readonly atMs: number; readonly message: string} | undefined {
		return this.#failure;
	}

	note({operation, status}: S3RequestEvent): void {
		if (status === 0) {
			this.#failure = {atMs: Date.now(), message: `S3 did not answer ${operation}: check the endpoint and the network`};
		} else if (status >= 500) {
			this.#failure = {atMs: Date.now(), message: `S3 answered ${operation} with status ${status}: check the service`};
		} else {
			this.#failure = undefined;
		}
	}
}
