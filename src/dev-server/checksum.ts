import {createHash} from 'node:crypto';
import {crc32} from 'node:zlib';
import {crc32c, crc64Nvme, type Crc64} from './checksum-tables.ts';

export const checksumAlgorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

/** COMPOSITE: the checksum of the parts' checksums, with `-COUNT` behind it. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';
export type Checksum = {readonly algorithm: ChecksumAlgorithm; readonly value: string; readonly type: ChecksumType};

/** A checksum that is computed while a body streams by. */
export type ChecksumState = {
	update(data: Uint8Array): void /** In base64, as S3's headers have it. */;
	digest(): string;
};

export const createChecksum = (algorithm: ChecksumAlgorithm): ChecksumState => {
	switch (algorithm) {
		case 'CRC32': {
			let crc = 0;
			return {
				update(data) {
					crc = crc32(data, crc);
				},
				digest: () => toBase64(crc),
			};
		}

		case 'CRC32C': {
			let crc = 0;
			return {
				update(data) {
					crc = crc32c(data, crc);
				},
				digest: () => toBase64(crc),
			};
		}

		case 'CRC64NVME': {
			let crc: Crc64 = {high: 0, low: 0};
			return {
				update(data) {
					crc = crc64Nvme(data, crc);
				},
				digest: () => toBase64(crc.high, crc.low),
			};
		}

		case 'SHA1':
		case 'SHA256': {
			const hash = createHash(algorithm.toLowerCase());
			return {
				update(data) {
					hash.update(data);
				},
				digest: () => hash.digest('base64'),
			};
		}
	}
};

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
