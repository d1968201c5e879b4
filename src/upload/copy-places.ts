import type {Place} from './byte-source.ts';
import type {StagingFile} from './staging-file.ts';

/** From where to where so many bytes go. */
type Copy = {readonly from: number; readonly to: number; readonly bytes: number};

/**
Copies bytes from places of one staging file to places of another, of the same number and sizes. Many small places
take few reads and writes.
*/
export const copyPlaces = async (
	source: {readonly file: StagingFile; readonly places: readonly Place[]},
	target: {readonly file: StagingFile; readonly places: readonly Place[]},
): Promise<void> => {
	for (const copies of groupCopies(splitCopies(source.places, target.places))) {
		const start = copies[0]!.from; // No group is empty.
		const window = Buffer.allocUnsafe(copies.at(-1)!.from + copies.at(-1)!.bytes - start);
		await source.file.read(start, window);
		await target.file.write(
			copies.map(({to, bytes}) => ({position: to, bytes})),
			Buffer.concat(copies.map(({from, bytes}) => window.subarray(from - start, from - start + bytes))),
		);
	}
};

const splitCopies = function* (from: readonly Place[], to: readonly Place[]): Generator<Copy> {
	for (const [index, {position, bytes}] of from.entries()) {
		for (let done = 0; done < bytes; done += windowBytes) {
			const target = to[index]!.position; // There are as many as of the others.
			yield {from: position + done, to: target + done, bytes: Math.min(windowBytes, bytes - done)};
		}
	}
};

/** Those whose sources follow each other and are so near that one read brings them all. */
const groupCopies = function* (copies: Iterable<Copy>): Generator<readonly Copy[]> {
	let group: Copy[] = [];
	let end = 0;
	for (const copy of copies) {
		const first = group[0];
		if (first !== undefined && (copy.from < end || copy.from + copy.bytes > first.from + windowBytes)) {
			yield group;
			group = [];
		}

		group.push(copy);
		end = copy.from + copy.bytes;
	}

	if (group.length > 0) {
		yield group;
	}
};

/** So many bytes are in memory at most, twice. */
const windowBytes = 2 ** 20;
