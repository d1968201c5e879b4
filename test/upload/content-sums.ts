import {randomBytes} from 'node:crypto';
import {crc32} from 'node:zlib';
import test from 'ava';
import type {ObjectVersion} from '../../src/store/object-store.ts';
import {formatBlockSums, parseBlockSums, sumBody} from '../../src/store/block-sums.ts';
import {type ContentPiece, pieceOfObject} from '../../src/upload/content-piece.ts';
import {sumContent} from '../../src/upload/content-sums.ts';

const mebibyte = 2 ** 20;
const objectBytes = randomBytes(4 * mebibyte + 300);
const object: ObjectVersion = {
	key: 'object',
	etag: 'etag',
	sizeBytes: objectBytes.length,
	lastModifiedMs: 0,
	blockSums: formatBlockSums(sumBody(objectBytes)!), // It has bytes.
};

/** A layer with these bytes, which knows their checksum or has to be read. */
const localPiece = (bytes: Buffer, {isKnown}: {isKnown: boolean}): ContentPiece => ({
	bytes: bytes.length,
	source: {
		kind: 'local',
		position: 0,
		layer: {
			crcOf: (position, count) => (isKnown ? crc32(bytes.subarray(position, position + count)) : undefined),
			async read(position, target) {
				if (isKnown) {
					throw new Error('what is known is not read');
				}

				bytes.copy(target, 0, position);
			},
			pin() {},
			unpin() {},
		},
	},
});

/** The CRCs of a content, and how many bytes of the object were read for them. */
const sum = async (content: readonly ContentPiece[]): Promise<{crcs: number[] | undefined; readBytes: number}> => {
	let readBytes = 0;
	const text = await sumContent(content, {
		async readObject(_object, offset, target) {
			readBytes += target.length;
			objectBytes.copy(target, 0, offset);
		},
		partCount: 3,
		lend: async (bytes, task) => task(Buffer.alloc(bytes)),
	});
	const sums = parseBlockSums(text ?? '');
	if (sums !== undefined && sums.partCount !== 3) {
		throw new Error('the count of parts is a part of it');
	}

	return {crcs: sums && [...sums.crcs], readBytes};
};

const crcsOf = (bytes: Uint8Array): number[] => [...(sumBody(bytes)?.crcs ?? [])];

test('sumContent() takes what layers know, and reads what they do not', async t => {
	const bytes = randomBytes(2 * mebibyte + 9);
	t.deepEqual(await sum([localPiece(bytes, {isKnown: true})]), {crcs: crcsOf(bytes), readBytes: 0});
	t.deepEqual(await sum([localPiece(bytes, {isKnown: false})]), {crcs: crcsOf(bytes), readBytes: 0});
});

test('sumContent() knows what is copied from an object, and puts what is appended behind it', async t => {
	const tail = randomBytes(mebibyte);
	const content = [pieceOfObject(object, 0, object.sizeBytes), localPiece(tail, {isKnown: false})];
	t.deepEqual(await sum(content), {crcs: crcsOf(Buffer.concat([objectBytes, tail])), readBytes: 0});
});

test('sumContent() reads of an object what shares a piece with changed bytes', async t => {
	const patch = randomBytes(10);
	const content = [
		pieceOfObject(object, 0, mebibyte + 100),
		localPiece(patch, {isKnown: false}),
		{bytes: 2 * mebibyte, source: {kind: 'zero'} as const},
		pieceOfObject(object, 3 * mebibyte + 110, object.sizeBytes),
	];
	const bytes = Buffer.from(objectBytes);
	bytes.set(patch, mebibyte + 100);
	bytes.fill(0, mebibyte + 110, 3 * mebibyte + 110);
	t.deepEqual(await sum(content), {crcs: crcsOf(bytes), readBytes: 100 + mebibyte - 110});
});

test('sumContent() leaves unknown what is copied from an object without checksums, or to another place', async t => {
	const tail = randomBytes(mebibyte);
	const unknown = {...object, blockSums: undefined};
	const content = [pieceOfObject(unknown, 0, 2 * mebibyte), localPiece(tail, {isKnown: true})];
	t.deepEqual(await sum(content), {crcs: [0, 0, crc32(tail)], readBytes: 0});
	t.deepEqual(await sum([pieceOfObject(object, 5, object.sizeBytes)]), {crcs: undefined, readBytes: 0});
	t.deepEqual(await sum([]), {crcs: undefined, readBytes: 0});
	const huge = [{bytes: 2 ** 31 + 1, source: {kind: 'zero'} as const}];
	t.deepEqual(await sum(huge), {crcs: undefined, readBytes: 0});
});
