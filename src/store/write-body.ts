import {crc32} from 'node:zlib';

/** What writes take: bytes in one piece or in several. */
export type WriteBody = Uint8Array | readonly Uint8Array[];

export const toPieces = (body: WriteBody): readonly Uint8Array[] => (body instanceof Uint8Array ? [body] : body);

/** As the header x-amz-checksum-crc32 has it: base64 of the big-endian CRC-32. */
export const toCrc32Base64 = (body: WriteBody): string => {
	let value = 0;
	for (const piece of toPieces(body)) {
		value = crc32(piece, value);
	}

	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes.toString('base64');
};
