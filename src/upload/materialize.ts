import {Semaphore} from '../model/semaphore.ts';
import {type ContentPiece, type ReadObject, readContent} from './content-piece.ts';

/** A file that is to lose the objects that it shows. */
type MaterializedFile = {
	readonly sizeBytes: number;
	/** Where the bytes [start, end) are now. */
	readonly resolve: (start: number, end: number) => readonly ContentPiece[];
	/** Puts bytes of an object, or of several, on local disk. One call at a time. */
	readonly write: (offset: number, bytes: Uint8Array) => Promise<void>;
	readonly readObject: ReadObject;
};

/** Brings all bytes of objects that a file shows to local disk, in a few large ranges at once. */
export const materialize = async ({sizeBytes, resolve, write, readObject}: MaterializedFile): Promise<void> => {
	const writing = new Semaphore(1);
	let nextOffset = 0;
	const bringRanges = async (): Promise<void> => {
		const buffer = Buffer.allocUnsafe(Math.min(rangeBytes, sizeBytes));
		while (nextOffset < sizeBytes) {
			let offset = nextOffset;
			nextOffset = Math.min(offset + rangeBytes, sizeBytes);
			for (const piece of resolve(offset, nextOffset)) {
				if (piece.source.kind === 'object') {
					const target = buffer.subarray(0, piece.bytes);
					const at = offset;
					await readContent([piece], target, readObject);
					await writing.run(async () => write(at, target));
				}

				offset += piece.bytes;
			}
		}
	};

	const outcomes = await Promise.allSettled(Array.from({length: rangeCount}, bringRanges));
	const failed = outcomes.find(outcome => outcome.status === 'rejected');
	if (failed !== undefined) {
		throw failed.reason;
	}
};

/** So many ranges of so many bytes come at the same time. */
const rangeCount = 4;
const rangeBytes = 2 ** 23;
