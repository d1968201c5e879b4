export type MessageHead = {
	/** The request line or the status line. */
	readonly startLine: string;
	readonly contentBytes: number | undefined;
	readonly isChunked: boolean;
};

type Listener = {
	/** Says whether a body may follow, which for an answer depends on its request. */
	readonly onHead: (head: MessageHead) => {readonly hasBody: boolean};
	/** The last byte of a message has passed. */
	readonly onEnd: () => void;
	/** Whether a body without a length goes on until the connection ends, as that of an answer does. */
	readonly isOpenEnded: boolean;
};

type Place = 'head' | 'body' | 'chunk size' | 'chunk' | 'trailer' | 'until the end';

/**
Finds where the messages of one direction of an HTTP/1.1 connection begin and end (RFC 9112, section 6). It looks at
copies of what passes and keeps no body.
*/
export class HttpMessageReader {
	readonly #listener: Listener;
	#place: Place = 'head';
	#line = '';
	#head: MessageHead | undefined;
	/** Of the body or the chunk that passes. */
	#leftBytes = 0;

	constructor(listener: Listener) {
		this.#listener = listener;
	}

	push(data: Buffer): void {
		for (let offset = 0; offset < data.length; ) {
			switch (this.#place) {
				case 'until the end': {
					return;
				}

				case 'body':
				case 'chunk': {
					const passed = Math.min(this.#leftBytes, data.length - offset);
					offset += passed;
					this.#leftBytes -= passed;
					this.#endBodyOrChunk();
					break;
				}

				case 'head':
				case 'chunk size':
				case 'trailer': {
					const newline = data.indexOf(10, offset);
					const end = newline === -1 ? data.length : newline + 1;
					this.#line += data.toString('latin1', offset, end);
					offset = end;
					if (newline !== -1) {
						const line = this.#line.trimEnd();
						this.#line = '';
						this.#takeLine(line);
					}
				}
			}
		}
	}

	/** The connection has ended: so has a body without a length. */
	close(): void {
		if (this.#place === 'until the end') {
			this.#endMessage();
		}
	}

	#endBodyOrChunk(): void {
		if (this.#leftBytes > 0) {
			return;
		}

		if (this.#place === 'body') {
			this.#endMessage();
		} else {
			this.#place = 'chunk size';
		}
	}

	#takeLine(line: string): void {
		switch (this.#place) {
			case 'chunk size': {
				const bytes = Number.parseInt(line, 16);
				this.#place = bytes > 0 ? 'chunk' : 'trailer';
				this.#leftBytes = bytes + 2; // The chunk and the line break behind it.
				break;
			}

			case 'trailer': {
				if (line === '') {
					this.#endMessage();
				}

				break;
			}

			case 'head': {
				this.#takeHeadLine(line);
				break;
			}

			case 'body':
			case 'chunk':
			case 'until the end': {
				throw new Error(`A ${this.#place} has no lines`);
			}
		}
	}

	#takeHeadLine(line: string): void {
		if (this.#head === undefined) {
			// Empty lines before a message are to be passed over.
			this.#head = line === '' ? undefined : {startLine: line, contentBytes: undefined, isChunked: false};
		} else if (line === '') {
			this.#beginBody(this.#head);
		} else {
			const [, name = '', value = ''] = /^([^:]+):[ \t]*(.*)$/.exec(line) ?? [];
			switch (name.toLowerCase()) {
				case 'content-length': {
					this.#head = {...this.#head, contentBytes: Number(value)};
					break;
				}

				case 'transfer-encoding': {
					this.#head = {...this.#head, isChunked: /chunked/i.test(value)};
					break;
				}
			}
		}
	}

	#beginBody(head: MessageHead): void {
		this.#head = undefined;
		const {hasBody} = this.#listener.onHead(head);
		if (!hasBody || head.contentBytes === 0) {
			this.#endMessage();
		} else if (head.isChunked) {
			this.#place = 'chunk size';
		} else if (head.contentBytes !== undefined) {
			this.#place = 'body';
			this.#leftBytes = head.contentBytes;
		} else if (this.#listener.isOpenEnded) {
			this.#place = 'until the end';
		} else {
			this.#endMessage();
		}
	}

	#endMessage(): void {
		this.#place = 'head';
		this.#listener.onEnd();
	}
}
