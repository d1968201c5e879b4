import {randomBytes} from 'node:crypto';
import {crc32} from 'node:zlib';
import test from 'ava';
import {
	coarsen,
	crcOfRange,
	formatBlockSums,
	parseBlockSums,
	summedBytesMax,
	sumBody,
	toPieceBytes,
	type BlockSums,
} from '../../src/store/block-sums.ts';

const mebibyte = 2 ** 20;

test('sumBody() sums each piece of a body, however the body is cut', t => {
	const body = randomBytes(3 * mebibyte + 5);
	const sums = sumBody(body);
	t.deepEqual(
		[...(sums?.crcs ?? [])],
		[0, 1, 2, 3].map(index => crc32(body.subarray(index * mebibyte, (index + 1) * mebibyte))),
	);
	t.deepEqual(
		sumBody([body.subarray(0, 7), body.subarray(7, 2 * mebibyte + 9), body.subarray(2 * mebibyte + 9)]),
		sums,
	);
	t.is(sumBody(Buffer.alloc(0)), undefined);
});

test('crcOfRange() tells the CRC of ranges of whole pieces that are known', t => {
	const body = randomBytes(3 * mebibyte + 5);
	const sums = sumBody(body)!; // It has bytes.
	t.is(crcOfRange(sums, 0, body.length), crc32(body));
	t.is(crcOfRange(sums, mebibyte, 3 * mebibyte), crc32(body.subarray(mebibyte, 3 * mebibyte)));
	t.is(crcOfRange(sums, 3 * mebibyte, body.length), crc32(body.subarray(3 * mebibyte)));
	for (const [start, end] of [
		[1, mebibyte],
		[0, mebibyte + 1],
		[3 * mebibyte, 4 * mebibyte],
	] as const) {
		t.is(crcOfRange(sums, start, end), undefined, `${start} to ${end}`);
	}

	const gap: BlockSums = {...sums, crcs: Uint32Array.from(sums.crcs, (crc, index) => (index === 1 ? 0 : crc))};
	t.is(crcOfRange(gap, 0, 2 * mebibyte), undefined);
	t.is(crcOfRange(gap, 0, mebibyte), sums.crcs[0]);
});

test('coarsen() sums twice as large pieces, of which one is known when both of its halves are', t => {
	const body = randomBytes(5 * mebibyte);
	const sums = sumBody(body)!; // It has bytes.
	const coarse = coarsen(sums);
	t.is(coarse?.pieceBytes, 2 * mebibyte);
	t.deepEqual(
		[...(coarse?.crcs ?? [])],
		[0, 2, 4].map(index => crc32(body.subarray(index * mebibyte, (index + 2) * mebibyte))),
	);
	const gap: BlockSums = {...sums, crcs: Uint32Array.from(sums.crcs, (crc, index) => (index === 1 ? 0 : crc))};
	t.deepEqual([...(coarsen(gap)?.crcs ?? [])], [0, coarse?.crcs[1], coarse?.crcs[2]]);
	t.is(coarsen({...sums, crcs: new Uint32Array(5)}), undefined);
	t.is(coarsen({...sums, sizeBytes: 5 * 2 ** 23, pieceBytes: 2 ** 23}), undefined);
});

test('formatBlockSums() makes a text that parseBlockSums() takes back, and nothing else does', t => {
	const sums = {...sumBody(randomBytes(2 * mebibyte + 1))!, partCount: 17}; // It has bytes.
	const text = formatBlockSums(sums);
	t.deepEqual(parseBlockSums(text), sums);
	for (const wrong of [
		'',
		'x',
		text.slice(0, -2),
		`${text}AAAA`,
		text.replace('.20.', '.19.'),
		text.replace('.17.', '.x.'),
	]) {
		t.is(parseBlockSums(wrong), undefined, wrong);
	}
});

test('pieces grow with the object, so that metadata has room for their checksums, up to 2 GiB', t => {
	t.is(toPieceBytes(0), undefined);
	t.is(toPieceBytes(1), mebibyte);
	t.is(toPieceBytes(256 * mebibyte), mebibyte);
	t.is(toPieceBytes(256 * mebibyte + 1), 2 * mebibyte);
	t.is(toPieceBytes(2 ** 31), 8 * mebibyte);
	t.is(toPieceBytes(2 ** 31 + 1), undefined);
	t.is(summedBytesMax, 2 ** 31);
	const text = formatBlockSums({sizeBytes: 2 ** 31, partCount: 256, pieceBytes: 2 ** 23, crcs: new Uint32Array(256)});
	t.true(text.length < 1400, `${text.length} bytes`);
});
