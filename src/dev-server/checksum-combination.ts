import type {ChecksumAlgorithm} from './checksum.ts';

/** The bit-reversed polynomials of the algorithms whose values for two halves give the value of the whole. */
const polynomials: Partial<Record<ChecksumAlgorithm, bigint>> = {
	CRC32: 0xed_b8_83_20n,
	CRC32C: 0x82_f6_3b_78n,
	CRC64NVME: 0x9a_6c_93_29_ac_4b_c9_b5n,
};

/**
The checksum of a whole object from those of its parts, without its bytes; `undefined` for algorithms that cannot do
that. Appending bytes to a message multiplies its CRC by a power of x: the polynomial product below.
*/
export const combineChecksums = (
	algorithm: ChecksumAlgorithm,
	parts: ReadonlyArray<{value: string; sizeBytes: number}>,
): string | undefined => {
	const polynomial = polynomials[algorithm];
	if (polynomial === undefined) {
		return undefined;
	}

	const bits = algorithm === 'CRC64NVME' ? 64n : 32n;
	let crc = 0n;
	for (const {value, sizeBytes} of parts) {
		const next = BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`);
		crc = multiply(crc, powerOfX(BigInt(sizeBytes) * 8n, polynomial, bits), polynomial, bits) ^ next;
	}

	return Buffer.from(crc.toString(16).padStart(Number(bits / 4n), '0'), 'hex').toString('base64');
};

// In the reversed order the highest bit stands for x^0.
const multiply = (a: bigint, b: bigint, polynomial: bigint, bits: bigint): bigint => {
	let product = 0n;
	let shifted = b;
	for (let mask = 1n << (bits - 1n); mask !== 0n; mask >>= 1n) {
		if (a & mask) {
			product ^= shifted;
		}

		shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n;
	}

	return product;
};

const powerOfX = (exponent: bigint, polynomial: bigint, bits: bigint): bigint => {
	let result = 1n << (bits - 1n);
	let square = 1n << (bits - 2n);
	for (let rest = exponent; rest > 0n; rest >>= 1n) {
		if (rest & 1n) {
			result = multiply(result, square, polynomial, bits);
		}

		square = multiply(square, square, polynomial, bits);
	}

	return result;
};
