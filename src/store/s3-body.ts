import type {IncomingMessage} from 'node:http';
import {setTimeout, clearTimeout} from 'node:timers';
import {crc32} from 'node:zlib';
import {StoreError} from '../model/store-error.ts';
import {toAbortedError} from './abort.ts';
import type {ObjectBody} from './object-store.ts';

export type BodyLimits = {
	/** What is being done, for messages. */
	readonly action: string;
	/** How many bytes the server announced; `undefined` when it did not. */
	readonly expectedBytes: number | undefined;
	/** How long there may be no byte while the reader waits for one. */
	readonly silenceMs: number;
	readonly signal?: AbortSignal | undefined;
	/** Base64 of the CRC-32 that the bytes must have. */
	readonly expectedCrc32?: string | undefined;
	/**
	Frees each piece when the next is asked for. Left to the garbage collector, pieces cost a full collection for
	every few large reads.
	*/
	readonly freesPieces?: boolean | undefined;
	/** Called once, when the body was read to its end, broke, or was given up. */
	readonly onEnd?: (receivedBytes: number) => void;
};

/**
The bytes of an answer, at the pace of their reader. Ends with a `StoreError` unless exactly the announced bytes came.
A reader that returns early closes the connection: reading the rest would cost more than a new one.
*/
export const readBody = (answer: IncomingMessage, limits: BodyLimits): AsyncIterableIterator<Uint8Array> & ObjectBody =>
	new S3Body(answer, limits);

/** The whole body as text; for answers that are not data. */
export const readText = async (answer: IncomingMessage, limits: BodyLimits): Promise<string> => {
	const pieces: Uint8Array[] = [];
	for await (const piece of readBody(answer, limits)) {
		pieces.push(piece);
	}

	return Buffer.concat(pieces).toString();
};

class S3Body implements AsyncIterableIterator<Uint8Array> {
	readonly #answer: IncomingMessage;
	readonly #limits: BodyLimits;
	readonly #iterator: AsyncIterator<Uint8Array>;
	readonly #timer: NodeJS.Timeout;
	#receivedBytes = 0;
	#crc32 = 0;
	#isWaiting = false;
	#isEnded = false;
	#failure: StoreError | undefined;
	#given: Uint8Array | undefined;

	constructor(answer: IncomingMessage, limits: BodyLimits) {
		this.#answer = answer;
		this.#limits = limits;
		this.#iterator = answer[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
		this.#timer = setTimeout(() => {
			if (this.#isWaiting) {
				this.#break(
					new StoreError(
						'timeout',
						`Cannot ${limits.action}: no byte came for ${limits.silenceMs} ms after ${this.#receivedBytes} bytes`,
					),
				);
			}
		}, limits.silenceMs);
		// The reader learns of a broken connection by next(); without a listener an idle one would end the process.
		answer.on('error', error => {
			this.#failure ??= this.#toBroken(error);
		});
		limits.signal?.addEventListener('abort', this.#abort);
		if (limits.signal?.aborted === true) {
			this.#abort();
		}
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	async next(): Promise<IteratorResult<Uint8Array>> {
		this.#freeGiven();
		if (this.#isEnded) {
			return {done: true, value: undefined};
		}

		let result: IteratorResult<Uint8Array>;
		this.#isWaiting = true;
		this.#timer.refresh();
		try {
			result = await this.#iterator.next();
		} catch (error) {
			this.#end();
			throw this.#failure ?? this.#toBroken(error);
		} finally {
			this.#isWaiting = false;
		}

		if (result.done === true) {
			this.#end();
			this.#assertWhole();
			return {done: true, value: undefined};
		}

		this.#note(result.value);
		return {done: false, value: result.value};
	}

	/** Without a promise for each piece, and without the copy of those that have to wait for it. */
	async pump(take: (piece: Uint8Array) => void): Promise<void> {
		const answer = this.#answer;
		const ended = Promise.withResolvers<void>();
		answer.on('data', (piece: Uint8Array) => {
			this.#timer.refresh();
			this.#note(piece);
			try {
				take(piece);
			} catch (error) {
				ended.reject(error);
				answer.destroy();
				return;
			}

			this.#freeGiven();
		});
		answer.once('end', ended.resolve);
		const breakOff = (): void => ended.reject(this.#failure ?? this.#toBroken(undefined));
		answer.once('close', breakOff); // After an error, and after the end, when it means nothing any more.
		if (answer.destroyed) {
			breakOff();
		}

		this.#isWaiting = true;
		this.#timer.refresh();
		try {
			await ended.promise;
		} finally {
			this.#isWaiting = false;
			this.#freeGiven();
			this.#end();
		}

		this.#assertWhole();
	}

	async return(): Promise<IteratorResult<Uint8Array>> {
		this.#freeGiven();
		this.#end();
		if (!this.#answer.readableEnded) {
			this.#answer.destroy();
		}

		return {done: true, value: undefined};
	}

	#note(piece: Uint8Array): void {
		this.#receivedBytes += piece.length;
		if (this.#limits.expectedCrc32 !== undefined) {
			this.#crc32 = crc32(piece, this.#crc32);
		}

		this.#given = piece;
	}

	#freeGiven(): void {
		const piece = this.#given;
		this.#given = undefined;
		if (this.#limits.freesPieces === true && piece !== undefined && piece.byteLength === piece.buffer.byteLength) {
			(piece.buffer as ArrayBuffer).transfer(0);
		}
	}

	#assertWhole(): void {
		const {expectedBytes, expectedCrc32, action} = this.#limits;
		if (this.#failure !== undefined) {
			throw this.#failure;
		}

		if (expectedBytes !== undefined && this.#receivedBytes !== expectedBytes) {
			throw new StoreError(
				'unavailable',
				`Cannot ${action}: the connection ended after ${this.#receivedBytes} of ${expectedBytes} bytes`,
			);
		}

		if (expectedCrc32 !== undefined && Buffer.from(expectedCrc32, 'base64').readUInt32BE(0) !== this.#crc32) {
			throw new StoreError(
				'corrupt',
				`Cannot ${action}: the bytes that came do not have the checksum that S3 keeps of them; they were damaged on the way or on the server`,
			);
		}
	}

	#toBroken(error: unknown): StoreError {
		const {action, expectedBytes} = this.#limits;
		return new StoreError(
			'unavailable',
			`Cannot ${action}: the connection broke after ${this.#receivedBytes} of ${expectedBytes ?? 'unknown'} bytes`,
			{cause: error},
		);
	}

	readonly #abort = (): void => {
		this.#break(toAbortedError(this.#limits.action, this.#limits.signal!)); // Only ever called by the signal.
	};

	#break(failure: StoreError): void {
		this.#failure ??= failure;
		this.#answer.destroy(failure);
	}

	#end(): void {
		if (!this.#isEnded) {
			this.#isEnded = true;
			clearTimeout(this.#timer);
			this.#limits.signal?.removeEventListener('abort', this.#abort);
			this.#limits.onEnd?.(this.#receivedBytes);
		}
	}
}
