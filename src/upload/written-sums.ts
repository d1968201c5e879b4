import {crc32} from 'node:zlib';
import {combineCrc32} from '../store/crc32-combination.ts';
import type {Place} from './byte-source.ts';

/** The bytes [start, end) of a staging file as they were written, by writes that came one behind the other. */
type Stretch = {readonly start: number; readonly end: number; readonly crc: number};

/**
The checksums of what was written to a staging file, made before it goes to the disk. Of each 1 MiB of the file, one
stretch is known, the newest: of files that are written from start to end, everything is.
*/
export class WrittenSums {
	readonly #stretches = new Map<number, Stretch>();
	/** Writes that are on their way: those of the same bytes may get to the disk in any order. */
	#writingCount = 0;
	#writeCount = 0;

	/** These bytes are being written to these places, one after the other. To be told how it ended. */
	begin(places: readonly Place[], data: Uint8Array): (outcome: {isWritten: boolean}) => void {
		this.#writingCount++;
		this.#writeCount++;
		let taken = 0;
		for (const {position, bytes} of places) {
			for (const {index, start, end} of cutPlace(position, bytes)) {
				this.#note(index, {start, end}, data.subarray(taken, taken + end - start));
				taken += end - start;
			}
		}

		return ({isWritten}) => {
			this.#writingCount--;
			for (const {position, bytes} of isWritten ? [] : places) {
				for (const {index} of cutPlace(position, bytes)) {
					this.#stretches.delete(index);
				}
			}
		};
	}

	/**
	Bytes are being read. The answer tells whether what came from a position is what was written there, as far as that is
	known: not of what is written at the same time.
	*/
	beginRead(): (position: number, bytes: Uint8Array) => boolean {
		const writeCount = this.#writingCount === 0 ? this.#writeCount : undefined;
		return (position, bytes) =>
			this.#writeCount !== writeCount ||
			[...cutPlace(position, bytes.length)].every(({index}) => {
				const known = this.#stretches.get(index);
				return (
					known === undefined ||
					known.start < position ||
					known.end > position + bytes.length ||
					known.crc === crc32(bytes.subarray(known.start - position, known.end - position))
				);
			});
	}

	/** The CRC-32 of what was written to [position, position + bytes); `undefined` when it is not known. */
	crcOf(position: number, bytes: number): number | undefined {
		let crc = 0;
		for (const {index, start, end} of cutPlace(position, bytes)) {
			const known = this.#stretches.get(index);
			if (known?.start !== start || known.end !== end) {
				return undefined;
			}

			crc = combineCrc32(crc, known.crc, end - start);
		}

		return crc;
	}

	#note(index: number, {start, end}: {start: number; end: number}, bytes: Uint8Array): void {
		const known = this.#stretches.get(index);
		if (known?.end === start) {
			this.#stretches.set(index, {start: known.start, end, crc: crc32(bytes, known.crc)});
		} else if (known !== undefined && this.#writingCount > 1) {
			this.#stretches.delete(index);
		} else {
			this.#stretches.set(index, {start, end, crc: crc32(bytes)});
		}
	}
}

const stretchBytes = 2 ** 20;

/** The parts of a place that lie in one stretch each. */
function* cutPlace(position: number, bytes: number): Generator<{index: number; start: number; end: number}> {
	for (let start = position; start < position + bytes; ) {
		const index = Math.floor(start / stretchBytes);
		const end = Math.min(position + bytes, (index + 1) * stretchBytes);
		yield {index, start, end};
		start = end;
	}
}
