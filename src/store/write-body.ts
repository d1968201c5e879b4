import {crc32} from 'node:zlib';

/** What writes take: bytes in one piece or in several. */
export type WriteBody = Uint8Array | readonly Uint8Array[];

export const toPieces = (body: WriteBody): readonly Uint8Array[] => (body instanceof Uint8Array ? [body] : body);

/** The CRC-32 of all bytes. */
export const crcOf = (body: WriteBody): number => {
	let value = 0;
	for (const piece of toPieces(body)) {
		value = crc32(piece, value);
	}

	return value;
};

/** As the header x-amz-checksum-crc32 has it: big endian. */
export const toBase64 = (crc: number): string => {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(crc);
	return bytes.toString('base64');
};
