import type {Place} from './byte-source.ts';
import type {StagingFile} from './staging-file.ts';

/** From where to where so many bytes go. */
type Copy = {readonly from: number; readonly to: number; readonly bytes: number};

/**
Copies bytes from places of a staging file to places of another that nothing refers to; says which, in the same order.
Many small places take few reads and writes.
*/
export const copyPlaces = async (
	source: {readonly file: StagingFile; readonly places: readonly Place[]},
	target: StagingFile,
): Promise<Place[]> => {
	const places = source.places.map(({bytes}) => target.allocate(bytes));
	try {
		for (const copies of groupCopies(splitCopies(source.places, places))) {
			const start = copies[0]!.from; // No group is empty.
			const window = Buffer.allocUnsafe(copies.at(-1)!.from + copies.at(-1)!.bytes - start);
			await source.file.read(start, window);
			await target.write(
				copies.map(({to, bytes}) => ({position: to, bytes})),
				Buffer.concat(copies.map(({from, bytes}) => window.subarray(from - start, from - start + bytes))),
			);
		}
	} catch (error) {
		target.free(places);
		throw error;
	}

	return places;
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
		if (first !== undefined && isFar(copy, first, end)) {
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

const isFar = ({from, bytes}: Copy, first: Copy, end: number): boolean =>
	from < end || from > end + gapBytesMax || from + bytes > first.from + windowBytes;

/** So many bytes are in memory at most, twice. */
const windowBytes = 2 ** 20;
/** To read so many bytes that are not needed takes no longer than another call. */
const gapBytesMax = 2 ** 16;
