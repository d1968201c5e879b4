import {randomBytes} from 'node:crypto';
import {crc32} from 'node:zlib';
import test from 'ava';
import {WrittenSums} from '../../src/upload/written-sums.ts';

const mebibyte = 2 ** 20;

const write = (sums: WrittenSums, position: number, data: Uint8Array): void => {
	sums.begin([{position, bytes: data.length}], data)({isWritten: true});
};

test('what is written from start to end is known, each 1 MiB and all of it', t => {
	const sums = new WrittenSums();
	const data = randomBytes(2 * mebibyte + 100);
	for (let start = 0; start < data.length; start += 100_000) {
		write(sums, start, data.subarray(start, start + 100_000));
	}

	t.is(sums.crcOf(0, data.length), crc32(data));
	t.is(sums.crcOf(mebibyte, mebibyte), crc32(data.subarray(mebibyte, 2 * mebibyte)));
	t.is(sums.crcOf(2 * mebibyte, 100), crc32(data.subarray(2 * mebibyte)));
	t.is(sums.crcOf(0, 100), undefined);
	t.is(sums.crcOf(2 * mebibyte, 200), undefined);
	t.true(sums.beginRead()(0, data));
	t.true(sums.beginRead()(5, data.subarray(5)));
	const damaged = Buffer.from(data);
	damaged[mebibyte + 7]! ^= 4;
	t.false(sums.beginRead()(0, damaged));
	t.true(sums.beginRead()(mebibyte + 1, damaged.subarray(mebibyte + 1, 2 * mebibyte)), 'a part of it is not compared');
});

test('a write over others is known by itself; what it leaves of them is not', t => {
	const sums = new WrittenSums();
	const [first, second] = [randomBytes(1000), randomBytes(100)];
	write(sums, 0, first);
	write(sums, 500, second);
	t.is(sums.crcOf(0, 1000), undefined);
	t.is(sums.crcOf(500, 100), crc32(second));
	const now = Buffer.from(first);
	now.set(second, 500);
	t.true(sums.beginRead()(0, now));
});

test('bytes that several places take are known at each', t => {
	const sums = new WrittenSums();
	const data = randomBytes(300);
	sums.begin(
		[
			{position: mebibyte - 100, bytes: 200},
			{position: 5 * mebibyte, bytes: 100},
		],
		data,
	)({isWritten: true});
	t.is(sums.crcOf(mebibyte - 100, 200), crc32(data.subarray(0, 200)));
	t.is(sums.crcOf(5 * mebibyte, 100), crc32(data.subarray(200)));
});

test('what failed to be written, or is written twice at once, is not known', t => {
	const sums = new WrittenSums();
	const data = randomBytes(100);
	sums.begin([{position: 0, bytes: 100}], data)({isWritten: false});
	t.is(sums.crcOf(0, 100), undefined);
	const end = sums.begin([{position: 0, bytes: 100}], data);
	write(sums, 50, data);
	end({isWritten: true});
	t.is(sums.crcOf(50, 100), undefined);
	t.is(sums.crcOf(0, 100), undefined);
});

test('a read is not compared with what is written at the same time', t => {
	const sums = new WrittenSums();
	const [before, after] = [randomBytes(100), randomBytes(100)];
	write(sums, 0, before);
	const check = sums.beginRead();
	write(sums, 0, after);
	t.true(check(0, before));
	const end = sums.begin([{position: 0, bytes: 100}], before);
	const during = sums.beginRead();
	end({isWritten: true});
	t.true(during(0, after));
	t.false(sums.beginRead()(0, after));
});
