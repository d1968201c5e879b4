import {randomBytes} from 'node:crypto';
import {closeSync, mkdirSync, openSync, readSync, readdirSync, unlinkSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../../model/error-text.ts';
import {BlobWriter} from './blob-writer.ts';
import type {Segment} from './segment.ts';

/**
A pack that reached this size is left, and a new one begun: small, as one object that stays keeps the whole pack.
*/
const packBytesMax = 16 * 1024 * 1024;

/**
Files of bytes with names that mean nothing: keys never become file names. A file is removed when nothing refers to
it any more, so copies share bytes, and a reader keeps its bytes while it holds them.
*/
export class BlobStore {
	readonly #directory: string;
	readonly #referenceCounts = new Map<string, number>();
	#pack: {id: string; fd: number; sizeBytes: number} | undefined;

	constructor(directory: string) {
		this.#directory = directory;
		mkdirSync(directory, {recursive: true});
	}

	createId(): {id: string; path: string} {
		const id = randomBytes(15).toString('hex');
		return {id, path: this.pathOf(id)};
	}

	pathOf(id: string): string {
		return join(this.#directory, id);
	}

	createWriter(): BlobWriter {
		return new BlobWriter(this);
	}

	/** One more user of these bytes. */
	retain(segments: readonly Segment[]): void {
		for (const {blob} of segments) {
			this.#referenceCounts.set(blob, (this.#referenceCounts.get(blob) ?? 0) + 1);
		}
	}

	/** One user less; files without any are removed. */
	release(segments: readonly Segment[]): void {
		for (const {blob} of segments) {
			const count = (this.#referenceCounts.get(blob) ?? 0) - 1;
			if (count > 0) {
				this.#referenceCounts.set(blob, count);
			} else {
				this.#referenceCounts.delete(blob);
				this.#remove(blob);
			}
		}
	}

	/** Appends a small body to the pack; the segment is held for the caller. */
	pack(pieces: readonly Uint8Array[], sizeBytes: number): Segment {
		if (this.#pack === undefined || this.#pack.sizeBytes >= packBytesMax) {
			this.#leavePack();
			const {id, path} = this.createId();
			this.#pack = {id, fd: openSync(path, 'wx+'), sizeBytes: 0};
			this.retain([{blob: id, start: 0, length: 0}]); // While it is the current pack, it is in use.
		}

		const {id, fd, sizeBytes: start} = this.#pack;
		const data = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, sizeBytes);
		let written = 0;
		while (written < sizeBytes) {
			written += writeSync(fd, data, written, sizeBytes - written, start + written);
		}

		this.#pack.sizeBytes += sizeBytes;
		const segment = {blob: id, start, length: sizeBytes};
		this.retain([segment]);
		return segment;
	}

	/** The bytes of segments at once, for small ones. */
	readSync(segments: readonly Segment[]): Buffer {
		const bytes = Buffer.allocUnsafe(segments.reduce((sum, segment) => sum + segment.length, 0));
		let offset = 0;
		for (const {blob, start, length} of segments) {
			const isPack = this.#pack?.id === blob;
			const fd = isPack ? this.#pack!.fd : openSync(this.pathOf(blob), 'r');
			try {
				readExactly(fd, bytes, {offset, length, position: start});
			} finally {
				if (!isPack) {
					closeSync(fd);
				}
			}

			offset += length;
		}

		return bytes;
	}

	/** Removes the files that nothing refers to: what a killed server left behind. */
	sweep(): void {
		for (const name of readdirSync(this.#directory)) {
			if (!this.#referenceCounts.has(name)) {
				unlinkSync(this.pathOf(name));
			}
		}
	}

	close(): void {
		this.#leavePack();
	}

	#leavePack(): void {
		if (this.#pack !== undefined) {
			const {id, fd} = this.#pack;
			closeSync(fd);
			this.#pack = undefined;
			this.release([{blob: id, start: 0, length: 0}]);
		}
	}

	#remove(blob: string): void {
		try {
			unlinkSync(this.pathOf(blob));
		} catch (error) {
			// While the journal is read again, the file of an object that was replaced since may be gone already.
			if (!hasErrorCode(error, 'ENOENT')) {
				throw error;
			}
		}
	}
}

const readExactly = (
	fd: number,
	bytes: Buffer,
	{offset, length, position}: {offset: number; length: number; position: number},
): void => {
	let done = 0;
	while (done < length) {
		const count = readSync(fd, bytes, offset + done, length - done, position + done);
		if (count === 0) {
			throw new Error(`Cannot read a stored object as its file ends after ${position + done} bytes`);
		}

		done += count;
	}
};
