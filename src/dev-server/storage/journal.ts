import {closeSync, constants, ftruncateSync, openSync, readSync, renameSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import type {StoredChange} from './stored-state.ts';

const fileName = 'journal.jsonl';
const readBytes = 1 << 20;

/**
The changes on disk, one JSON line each. A change counts from the moment its line feed is written; what a killed
server left of a line without one is cut off. There is no fsync: a killed process loses nothing, a power cut may.
*/
export class Journal {
	readonly #fd: number;
	#sizeBytes: number;

	private constructor(fd: number, sizeBytes: number) {
		this.#fd = fd;
		this.#sizeBytes = sizeBytes;
	}

	/** Hands over the changes that the last server wrote, in their order, and opens the journal for more. */
	static open(directory: string, apply: (change: StoredChange) => void): {journal: Journal; changeCount: number} {
		const fd = openSync(join(directory, fileName), constants.O_RDWR | constants.O_CREAT);
		const piece = Buffer.allocUnsafe(readBytes);
		let rest: Buffer = Buffer.alloc(0);
		let position = 0;
		let changeCount = 0;
		for (;;) {
			const length = readSync(fd, piece, 0, readBytes, position);
			if (length === 0) {
				break;
			}

			position += length;
			const data = Buffer.concat([rest, piece.subarray(0, length)]);
			const end = data.lastIndexOf(0x0a) + 1;
			rest = data.subarray(end);
			for (const line of data.toString('utf8', 0, end).split('\n')) {
				if (line !== '') {
					changeCount++;
					apply(parseChange(line, `${join(directory, fileName)} line ${changeCount}`));
				}
			}
		}

		ftruncateSync(fd, position - rest.length);
		return {journal: new Journal(fd, position - rest.length), changeCount};
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/**
	Replaces the journal with these changes, and opens it for more. A kill at any moment leaves the old or the new
	one.
	*/
	static rewrite(directory: string, changes: Iterable<StoredChange>): Journal {
		const temporary = join(directory, `${fileName}.new`);
		const fd = openSync(temporary, 'w');
		const journal = new Journal(fd, 0);
		let batch: StoredChange[] = [];
		for (const change of changes) {
			batch.push(change);
			if (batch.length === 1000) {
				journal.append(batch);
				batch = [];
			}
		}

		journal.append(batch);
		renameSync(temporary, join(directory, fileName));
		return journal;
	}

	/** Writes changes; when it returns they survive a kill of this process. When it throws, none of them counts. */
	append(changes: readonly StoredChange[]): void {
		let lines = '';
		for (const change of changes) {
			lines += `${JSON.stringify(change)}\n`;
		}

		const data = Buffer.from(lines);
		try {
			let written = 0;
			while (written < data.length) {
				written += writeSync(this.#fd, data, written, data.length - written, this.#sizeBytes + written);
			}
		} catch (error) {
			// A full disk may have taken a part of the lines.
			ftruncateSync(this.#fd, this.#sizeBytes);
			throw error;
		}

		this.#sizeBytes += data.length;
	}

	close(): void {
		closeSync(this.#fd);
	}
}

const parseChange = (line: string, where: string): StoredChange => {
	try {
		return JSON.parse(line) as StoredChange;
	} catch (cause) {
		throw new Error(`Cannot read the server's journal as ${where} is not JSON: remove the directory to start anew`, {
			cause,
		});
	}
};
