import type {BlobStore} from './blob-store.ts';
import {closeFile, openFile, readInto} from './file-descriptor.ts';
import type {Segment} from './segment.ts';

const pieceBytes = 512 * 1024;
/** Buffers that wait for their next use, over all readers. */
const freeCountMax = 32;
const free: Buffer[] = [];

/** A piece of a stored body. `recycle` gives its memory back: not before the bytes were sent. */
export type Piece = {readonly bytes: Buffer; readonly recycle: () => void};

/**
Reads stored bytes in pieces that are large enough for disk and socket, with one piece read ahead. New memory for
each piece would cost as much as the copy itself (page faults), so buffers are used again.
*/
export async function* readSegments(store: BlobStore, segments: readonly Segment[]): AsyncGenerator<Piece> {
	for (const segment of segments) {
		const fd = await openFile(store.pathOf(segment.blob), 'r');
		let next: Promise<Piece> | undefined;
		try {
			for (let offset = 0; offset < segment.length; offset += pieceBytes) {
				const piece = await (next ?? readPiece(fd, segment, offset));
				const nextOffset = offset + pieceBytes;
				next = nextOffset < segment.length ? readPiece(fd, segment, nextOffset) : undefined;
				next?.catch(() => undefined); // Its failure is thrown where it is awaited.
				yield piece;
			}
		} finally {
			await next?.then(
				piece => piece.recycle(),
				() => undefined,
			);
			await closeFile(fd);
		}
	}
}

const readPiece = async (fd: number, segment: Segment, offset: number): Promise<Piece> => {
	const buffer = free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
	const length = Math.min(pieceBytes, segment.length - offset);
	let done = 0;
	while (done < length) {
		const {bytesRead} = await readInto(fd, buffer, done, length - done, segment.start + offset + done);
		if (bytesRead === 0) {
			throw new Error(`Cannot read blob ${segment.blob} as it ends after ${segment.start + offset + done} bytes`);
		}

		done += bytesRead;
	}

	return {
		bytes: length === pieceBytes ? buffer : buffer.subarray(0, length),
		recycle() {
			if (free.length < freeCountMax) {
				free.push(buffer);
			}
		},
	};
};
