import test from 'ava';
import {
	type ContentPiece,
	contentBytes,
	cutContent,
	pieceOfObject,
	readContent,
} from '../../src/upload/content-piece.ts';
import {someObject} from './support/staging.ts';

const objectBytes = Buffer.from('0123456789');
const localBytes = Buffer.from('abcdefghij');

/** A layer that says whether it is pinned while it is read. */
const createLayer = () => ({
	pinCount: 0,
	readCount: 0,
	async read(position: number, target: Uint8Array) {
		this.readCount += this.pinCount > 0 ? 1 : 0;
		target.set(localBytes.subarray(position, position + target.length));
	},
	crcOf: () => undefined,
	pin() {
		this.pinCount++;
	},
	unpin() {
		this.pinCount--;
	},
});

const read = async (content: readonly ContentPiece[]): Promise<string> => {
	const target = Buffer.alloc(contentBytes(content), '?');
	await readContent(content, target, async (_object, offset, part) => {
		part.set(objectBytes.subarray(offset, offset + part.length));
	});
	return target.toString();
};

test('every stretch of a content reads as that of the whole', async t => {
	const layer = createLayer();
	const content: ContentPiece[] = [
		pieceOfObject(someObject, 2, 5),
		{bytes: 4, source: {kind: 'local', layer, position: 3}},
		{bytes: 2, source: {kind: 'zero'}},
		pieceOfObject(someObject, 0, 1),
	];
	const whole = await read(content);
	t.is(whole, '234defg\0\u00000');
	for (let start = 0; start <= whole.length; start++) {
		for (let end = start; end <= whole.length; end++) {
			t.is(await read(cutContent(content, start, end)), whole.slice(start, end), `from ${start} to ${end}`);
		}
	}

	t.true(layer.readCount > 0);
	t.is(layer.pinCount, 0);
});

test('a layer is pinned before the first byte is read, and free after a failure', async t => {
	const layer = createLayer();
	const content: ContentPiece[] = [
		pieceOfObject(someObject, 0, 1),
		{bytes: 1, source: {kind: 'local', layer, position: 0}},
	];
	let pinCount = 0;
	const reading = readContent(content, Buffer.alloc(2), async () => {
		pinCount = layer.pinCount;
		throw new Error('S3 is away');
	});
	t.is(layer.pinCount, 1);
	await t.throwsAsync(reading, {message: 'S3 is away'});
	t.is(pinCount, 1);
	t.is(layer.pinCount, 0);
});
