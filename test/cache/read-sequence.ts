import test from 'ava';
import {blockBytes} from '../../src/cache/block-cache.ts';
import {ReadSequence} from '../../src/cache/read-sequence.ts';

const mebibyte = 2 ** 20;

test('a reader in order is read ahead from its second read on, twice as far each time, up to the bound', t => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	const windows = Array.from({length: 5}, (_, index) => sequence.advance(index * mebibyte, mebibyte));
	t.deepEqual(windows, [0, 2, 4, 8, 8]);
});

test('reads that are near but out of order count as in order', t => {
	const sequence = new ReadSequence({windowBytesMax: 8 * blockBytes});
	t.deepEqual(
		[0, 2, 1, 3].map(position => sequence.advance(position * mebibyte, mebibyte)),
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
	t.is(sequence.advance(4 * mebibyte, mebibyte), 4);
	t.is(sequence.advance(1000 * mebibyte, mebibyte), 0);
	t.is(sequence.advance(1001 * mebibyte, mebibyte), 0, 'One read after a jump may be by chance');
	t.is(sequence.advance(1002 * mebibyte, mebibyte), 2);
});
