/**
The CRC-32 of two stretches of bytes, one behind the other, from the CRC-32 of each and the length of the second: a CRC
is linear, and bytes behind a stretch multiply its CRC by a power of x (as `crc32_combine` of zlib does it).
*/
export const combineCrc32 = (first: number, second: number, secondBytes: number): number =>
	first === 0 ? second : (multiply(knownPower(secondBytes), first) ^ second) >>> 0;

/** Nearly all stretches have the length of a block. */
const powers = new Map<number, number>();
const powerCountMax = 32;

const knownPower = (byteCount: number): number => {
	let power = powers.get(byteCount);
	if (power === undefined) {
		power = powerOfX(byteCount);
		if (powers.size >= powerCountMax) {
			powers.clear();
		}

		powers.set(byteCount, power);
	}

	return power;
};

/** Bit-reversed, as everywhere: the highest bit stands for x^0. */
const polynomial = 0xed_b8_83_20;
const one = 0x80_00_00_00;

/** The product of two polynomials modulo that of CRC-32. */
const multiply = (a: number, b: number): number => {
	let product = 0;
	let shifted = b;
	for (let rest = a; rest !== 0; rest <<= 1) {
		if (rest & one) {
			product ^= shifted;
		}

		shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
	}

	return product >>> 0;
};

/** x to the power of 8 times the count. */
const powerOfX = (byteCount: number): number => {
	let result = one;
	let square = one >>> 8;
	for (let rest = byteCount; rest > 0; rest = Math.floor(rest / 2)) {
		result = rest % 2 === 1 ? multiply(square, result) : result;
		square = multiply(square, square);
	}

	return result;
};
