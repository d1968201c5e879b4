import {close, open, readv, writev} from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {crc32} from 'node:zlib';
import {hasErrorCode} from '../model/error-text.ts';

/*
A block as a file is a header of 16 bytes and the bytes of the block. Header: `PNXB`, CRC-32 of the bytes (big endian),
length of the bytes, CRC-32 of the twelve bytes before.
*/

export const blockFileHeaderBytes = 16;
const magic = 0x50_4e_58_42; // "PNXB"

/** Writes a block; `crc` is that of its bytes, where it is known. Its directory is made if need be. */
export const writeBlockFile = async (file: string, bytes: Uint8Array, crc: number | undefined): Promise<void> =>
	writePieces(file, [formatHeader(bytes, crc), bytes]);

/**
By descriptors: with a thousand blocks a second, making a `FileHandle` object for each would dominate a long read.
*/
const writePieces = async (file: string, pieces: readonly Uint8Array[]): Promise<void> => {
	let descriptor: number;
	try {
		descriptor = await openFile(file, 'w', 0o600);
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT')) {
			throw error;
		}

		await fs.mkdir(path.dirname(file), {recursive: true, mode: 0o700});
		descriptor = await openFile(file, 'w', 0o600);
	}

	try {
		// A disk that is nearly full takes a part, and says so by this number only.
		const {bytesWritten} = await writeAll(descriptor, pieces);
		const expectedBytes = pieces.reduce((total, {length}) => total + length, 0);
		if (bytesWritten < expectedBytes) {
			throw new Error(`Cannot cache a block in ${file}: the disk took ${bytesWritten} of its ${expectedBytes} bytes`);
		}
	} finally {
		await closeFile(descriptor);
	}
};

/** The bytes of a block into `target`: how many there were, or `undefined` when they are not as they were written. */
export const readBlockFile = async (file: string, target: Uint8Array): Promise<number | undefined> => {
	const header = Buffer.allocUnsafe(blockFileHeaderBytes);
	const descriptor = await openFile(file, 'r');
	try {
		const {bytesRead} = await readAll(descriptor, [header, target]);
		const bytes = bytesRead < blockFileHeaderBytes ? undefined : parseHeader(header);
		const isWhole =
			bytes !== undefined && bytesRead === blockFileHeaderBytes + bytes.length && bytes.length <= target.length;
		return isWhole && crc32(target.subarray(0, bytes.length)) === bytes.crc ? bytes.length : undefined;
	} finally {
		await closeFile(descriptor);
	}
};

const openFile = promisify(open);
const closeFile = promisify(close);
const writeAll = promisify(writev);
const readAll = promisify(readv);

const formatHeader = (bytes: Uint8Array, crc = crc32(bytes)): Buffer => {
	const header = Buffer.alloc(blockFileHeaderBytes);
	header.writeUInt32BE(magic, 0);
	header.writeUInt32BE(crc, 4);
	header.writeUInt32BE(bytes.length, 8);
	header.writeUInt32BE(crc32(header.subarray(0, 12)), 12);
	return header;
};

const parseHeader = (header: Buffer): {crc: number; length: number} | undefined =>
	header.readUInt32BE(0) === magic && header.readUInt32BE(12) === crc32(header.subarray(0, 12))
		? {crc: header.readUInt32BE(4), length: header.readUInt32BE(8)}
		: undefined;
