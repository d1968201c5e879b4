import test from 'ava';
import {blockBytes} from '../../src/cache/block-cache.ts';
import {ReadSequence} from '../../src/cache/read-sequence.ts';

const mebibyte = 2 ** 20;

test('a reader in order is read ahead from its second read on, twice as far each time, up to the bound', t => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	const windows = Array.from({length: 5}, (_, index) => sequence.advance(index * mebibyte, mebibyte).aheadCount);
	t.deepEqual(windows, [0, 2, 4, 8, 8]);
});

test('reads that are near but out of order count as in order', t => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	t.deepEqual(
		[0, 2, 1, 3].map(position => sequence.advance(position * mebibyte, mebibyte).aheadCount),
		[0, 2, 4, 8],
	);
});

test('a jump ends the reading ahead, and shrinking makes it half as far', t => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	for (let index = 0; index < 4; index++) {
		sequence.advance(index * mebibyte, mebibyte);
	}

	sequence.shrink();
	sequence.shrink();
	const aheadCountAt = (position: number) => sequence.advance(position * mebibyte, mebibyte).aheadCount;
	t.is(aheadCountAt(4), 4);
	t.is(aheadCountAt(1000), 0);
	t.is(aheadCountAt(1001), 0, 'One read after a jump may be by chance');
	t.is(aheadCountAt(1002), 2);
});

const areRandom = (reads: ReadonlyArray<readonly [offset: number, length: number]>): boolean[] => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	return reads.map(([offset, length]) => sequence.advance(offset, length).isRandom);
};

test('a reader of little is random from its first jump on, one of more from its second, and one of much never', t => {
	for (const [length, expected] of [
		[4096, [false, true, true, true]],
		[2 ** 18, [false, false, true, true]],
		[2 ** 20, [false, false, false, false]],
	] as const) {
		t.deepEqual(areRandom([0, 40, 7, 100].map(position => [position * mebibyte, length])), expected, `${length} bytes`);
	}

	t.deepEqual(areRandom([[40 * mebibyte, 4096]]), [true]);
});

test('random reads of a small file that are near each other by chance are not taken for a sequence', t => {
	t.deepEqual(areRandom([5, 6, 4, 7, 3].map(position => [position * mebibyte, 4096])), [true, true, true, true, true]);
});

test('a reader that goes on where it has jumped to is not random any more', t => {
	t.deepEqual(areRandom([0, 1, 2, 3].map(position => [40 * mebibyte + position * 4096, 4096])), [
		true,
		true,
		false,
		false,
	]);
});
