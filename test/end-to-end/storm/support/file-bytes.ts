import {createHash} from 'node:crypto';

/** Bytes that only this seed makes, so that a file of a test need not be kept to be compared. */
export const fileBytes = (seed: string, byteCount: number): Buffer => {
	const block = createHash('sha512').update(seed).digest();
	const bytes = Buffer.alloc(byteCount, block);
	// Each block differs from its neighbours: bytes of the right file at the wrong place are wrong.
	for (let offset = 0; offset + 4 <= byteCount; offset += block.length) {
		bytes.writeUInt32LE(offset, offset);
	}

	return bytes;
};

/** The SHA-256 of such a file. */
export const fileSha256 = (seed: string, byteCount: number): string =>
	createHash('sha256').update(fileBytes(seed, byteCount)).digest('hex');
