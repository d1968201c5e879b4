import {randomBytes} from 'node:crypto';
import {crc32} from 'node:zlib';
import test from 'ava';
import {combineCrc32} from '../../src/store/crc32-combination.ts';

test('combineCrc32() gives the CRC of two stretches from those of each, whatever their lengths are', t => {
	for (const [firstBytes, secondBytes] of [
		[0, 0],
		[0, 5],
		[5, 0],
		[1, 1],
		[1000, 12_345],
		[2 ** 20, 2 ** 20],
		[3, 2 ** 22 + 7],
	] as const) {
		const [first, second] = [randomBytes(firstBytes), randomBytes(secondBytes)];
		const whole = crc32(Buffer.concat([first, second]));
		t.is(combineCrc32(crc32(first), crc32(second), secondBytes), whole, `${firstBytes} and ${secondBytes} bytes`);
	}
});

test('combineCrc32() knows lengths that it has forgotten, and of more than 32 bits', t => {
	const [first, second] = [randomBytes(10), randomBytes(100)];
	for (let length = 1; length <= 100; length++) {
		const some = second.subarray(0, length);
		t.is(combineCrc32(crc32(first), crc32(some), length), crc32(Buffer.concat([first, some])));
	}

	// x^(8 * 2^32) twice is x^(8 * 2^33).
	const half = combineCrc32(1, 0, 2 ** 32);
	t.is(combineCrc32(half, 0, 2 ** 32), combineCrc32(1, 0, 2 ** 33));
});
