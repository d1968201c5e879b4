import {createHash, type Hash} from 'node:crypto';
import {crc32} from 'node:zlib';
import {crc32c, crc64Nvme, type Crc64} from './checksum-tables.ts';

export const checksumAlgorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

/** COMPOSITE: the checksum of the parts' checksums, with `-COUNT` behind it. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';
export type Checksum = {readonly algorithm: ChecksumAlgorithm; readonly value: string; readonly type: ChecksumType};

/** A checksum that is computed while a body streams by. */
export type ChecksumState = {
	update(data: Uint8Array): void;
	/** In base64, as S3's headers have it. */
	digest(): string;
};

export const createChecksum = (algorithm: ChecksumAlgorithm): ChecksumState => {
	switch (algorithm) {
		case 'CRC32': {
			return new CrcState(0, crc32, toBase64);
		}

		case 'CRC32C': {
			return new CrcState(0, crc32c, toBase64);
		}

		case 'CRC64NVME': {
			return new CrcState<Crc64>({high: 0, low: 0}, crc64Nvme, ({high, low}) => toBase64(high, low));
		}

		case 'SHA1':
		case 'SHA256': {
			return new HashState(algorithm);
		}
	}
};

class CrcState<Crc> implements ChecksumState {
	#crc: Crc;
	readonly #add: (data: Uint8Array, previous: Crc) => Crc;
	readonly #format: (crc: Crc) => string;

	constructor(start: Crc, add: (data: Uint8Array, previous: Crc) => Crc, format: (crc: Crc) => string) {
		this.#crc = start;
		this.#add = add;
		this.#format = format;
	}

	update(data: Uint8Array): void {
		this.#crc = this.#add(data, this.#crc);
	}

	digest(): string {
		return this.#format(this.#crc);
	}
}

class HashState implements ChecksumState {
	readonly #hash: Hash;

	constructor(algorithm: 'SHA1' | 'SHA256') {
		this.#hash = createHash(algorithm.toLowerCase());
	}

	update(data: Uint8Array): void {
		this.#hash.update(data);
	}

	digest(): string {
		return this.#hash.digest('base64');
	}
}

/** The header of S3 that carries this algorithm's value. */
export const checksumHeader = (algorithm: ChecksumAlgorithm): string => `x-amz-checksum-${algorithm.toLowerCase()}`;

/** The XML element of S3 that carries this algorithm's value. */
export const checksumElement = (algorithm: ChecksumAlgorithm): string => `Checksum${algorithm}`;

export const parseChecksumAlgorithm = (name: string | undefined): ChecksumAlgorithm | undefined =>
	checksumAlgorithms.find(algorithm => algorithm === name?.toUpperCase());

const byteCounts: Readonly<Record<ChecksumAlgorithm, number>> = {
	CRC32: 4,
	CRC32C: 4,
	CRC64NVME: 8,
	SHA1: 20,
	SHA256: 32,
};

/** Whether a value has the length that the algorithm's values have. */
export const isChecksumValue = (algorithm: ChecksumAlgorithm, value: string): boolean =>
	/^[\w+/]+={0,2}$/.test(value) && Buffer.from(value, 'base64').length === byteCounts[algorithm];

/** The checksum of a multipart object from its parts' checksums, when each part has one. */
export const compositeChecksum = (algorithm: ChecksumAlgorithm, partValues: readonly string[]): Checksum => {
	const state = createChecksum(algorithm);
	for (const value of partValues) {
		state.update(Buffer.from(value, 'base64'));
	}

	return {algorithm, value: `${state.digest()}-${partValues.length}`, type: 'COMPOSITE'};
};

const toBase64 = (...words: readonly number[]): string => {
	const bytes = Buffer.alloc(words.length * 4);
	for (const [index, word] of words.entries()) {
		bytes.writeUInt32BE(word, index * 4);
	}

	return bytes.toString('base64');
};
