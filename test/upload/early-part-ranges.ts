import test from 'ava';
import {earlyPartRange, earlyPartRanges} from '../../src/upload/early-part-ranges.ts';
import {partBytesMax, partCountMax} from '../../src/upload/upload-plan.ts';

const mebibyte = 2 ** 20;

test('parts follow each other without gaps, and grow so that a file of 1 TiB has few enough', t => {
	for (const partBytes of [5 * mebibyte, 8 * mebibyte, 512 * mebibyte]) {
		let end = 0;
		for (let index = 0; index < partCountMax; index++) {
			const range = earlyPartRange(index, {partBytes, hasEqualParts: false});
			t.true(range.start === end && range.end - range.start >= partBytes && range.end - range.start <= partBytesMax);
			({end} = range);
		}

		t.true(end > 2 ** 40);
	}
});

test('the first 1,000 parts are equal, and all of them where the server takes no others', t => {
	const bytesOf = (index: number, hasEqualParts: boolean): number => {
		const {start, end} = earlyPartRange(index, {partBytes: 8 * mebibyte, hasEqualParts});
		return (end - start) / mebibyte;
	};

	t.deepEqual(
		[0, 999, 1000, 2000, 9999].map(index => bytesOf(index, false)),
		[8, 8, 16, 32, 512],
	);
	t.deepEqual(
		[0, 999, 1000, 9999].map(index => bytesOf(index, true)),
		[8, 8, 8, 8],
	);
	t.is(earlyPartRange(5000, {partBytes: 8 * mebibyte, hasEqualParts: true}).start, 5000 * 8 * mebibyte);
});

test('the last part of a file ends with it; a file of too many parts has none', t => {
	const options = {partBytes: 5 * mebibyte, hasEqualParts: true};
	t.deepEqual(earlyPartRanges(11 * mebibyte, options), [
		{start: 0, end: 5 * mebibyte},
		{start: 5 * mebibyte, end: 10 * mebibyte},
		{start: 10 * mebibyte, end: 11 * mebibyte},
	]);
	t.is(earlyPartRanges(partCountMax * options.partBytes, options)?.length, partCountMax);
	t.is(earlyPartRanges(partCountMax * options.partBytes + 1, options), undefined);
});
