import {HttpMessageReader} from './http-message-reader.ts';
import type {RequestMeter} from './request-meter.ts';

/** Counts the requests of one connection: answers come in the order of their requests. */
export class ConnectionMeter {
	readonly #meter: RequestMeter;
	readonly #unanswered: Array<{readonly began: number; readonly method: string}> = [];
	/** Whether the answer that passes is the last one to its request, and not one such as "100 Continue". */
	#isFinal = true;

	readonly #requests = new HttpMessageReader({
		isOpenEnded: false,
		onHead: ({startLine}) => {
			const method = startLine.split(' ', 1)[0] ?? '';
			this.#unanswered.push({began: this.#meter.begin(method), method});
			return {hasBody: true};
		},
		onEnd: () => undefined,
	});

	readonly #answers = new HttpMessageReader({
		isOpenEnded: true,
		onHead: ({startLine}) => {
			const status = Number(startLine.split(' ', 2)[1]);
			this.#isFinal = status >= 200;
			return {
				hasBody: this.#isFinal && status !== 204 && status !== 304 && this.#unanswered[0]?.method !== 'HEAD',
			};
		},
		onEnd: () => {
			const request = this.#isFinal ? this.#unanswered.shift() : undefined;
			if (request !== undefined) {
				this.#meter.answer(request.began, request.method);
			}
		},
	});

	constructor(meter: RequestMeter) {
		this.#meter = meter;
	}

	/** The client has sent this. */
	takeSent(data: Buffer): void {
		this.#meter.addSent(data.length);
		this.#requests.push(data);
	}

	/** The client gets this now. */
	takeReceived(data: Buffer): void {
		this.#meter.addReceived(data.length);
		this.#answers.push(data);
	}

	/** The connection has ended; again does nothing more. */
	close(): void {
		this.#answers.close();
		for (const {method} of this.#unanswered.splice(0)) {
			this.#meter.drop(method);
		}
	}
}
