import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {type BlockCache, blockBytes, noBlockCache} from '../../src/cache/block-cache.ts';
import {ObjectReader} from '../../src/cache/object-reader.ts';
import {createFaultyObjectStore, type FaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import type {ObjectHead} from '../../src/store/object-store.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';

type Setup = {
	readonly store: FaultyObjectStore;
	readonly reader: ObjectReader;
	readonly version: ObjectHead;
	readonly content: Buffer;
	readonly read: (offset: number, length: number) => Promise<Buffer>;
};

/** An object of some blocks and a half, and a reader of it. */
const setUp = async (
	t: ExecutionContext,
	options: {blockCount?: number; isVersioned?: boolean; memoryBlocks?: number; blockCache?: BlockCache} = {},
): Promise<Setup> => {
	const store = createFaultyObjectStore(createMemoryObjectStore({isVersioned: options.isVersioned ?? false}));
	const content = Buffer.alloc(Math.floor(((options.blockCount ?? 5) + 0.5) * blockBytes));
	for (let offset = 0; offset < content.length; offset += 4) {
		content.writeUInt32BE(offset, offset);
	}

	await store.put('object', content);
	const version = (await store.head('object'))!; // It was put just now.
	const reader = new ObjectReader({
		store,
		blockCache: options.blockCache ?? noBlockCache,
		memoryBytesMax: (options.memoryBlocks ?? 32) * blockBytes,
		partBytes: 8 * blockBytes,
	});
	t.teardown(async () => reader.close());
	return {
		store,
		reader,
		version,
		content,
		async read(offset, length) {
			const target = Buffer.alloc(length, 0xee);
			await reader.read(version, offset, target);
			return target;
		},
	};
};

test('read() gives the bytes of any range', async t => {
	const {read, content, reader, version} = await setUp(t);
	const random = createRandomSource(testSeed());
	const sequence = reader.createSequence();
	for (let count = 0; count < 60; count++) {
		const offset = random.below(content.length);
		const length = Math.min(content.length - offset, 1 + random.below(3 * blockBytes));
		t.true((await read(offset, length)).equals(content.subarray(offset, offset + length)), `${offset}+${length}`);
	}

	for (let offset = 0; offset < content.length; offset += 131_072) {
		const target = Buffer.alloc(Math.min(131_072, content.length - offset));
		await reader.read(version, offset, target, sequence);
		t.true(target.equals(content.subarray(offset, offset + target.length)));
	}
});

test('read() of one block by many at once is one request', async t => {
	const {read, store, content} = await setUp(t);
	const results = await Promise.all(Array.from({length: 20}, async (_, index) => read(index * 1000, 1000)));
	t.is(store.callCount('get'), 1);
	for (const [index, result] of results.entries()) {
		t.true(result.equals(content.subarray(index * 1000, (index + 1) * 1000)));
	}
});

test('read() in sequence asks for many blocks in one request, and random reads for one', async t => {
	const {store, reader, version, content} = await setUp(t, {blockCount: 20});
	const sequence = reader.createSequence();
	for (let offset = 0; offset < content.length; offset += blockBytes) {
		await reader.read(version, offset, Buffer.alloc(Math.min(blockBytes, content.length - offset)), sequence);
	}

	t.true(store.callCount('get') < 12, `${store.callCount('get')} requests`);
	const before = store.callCount('get');
	const other = await setUp(t, {blockCount: 20});
	for (const block of [3, 17, 9, 1]) {
		await other.reader.read(other.version, block * blockBytes, Buffer.alloc(4096), other.reader.createSequence());
	}

	t.is(other.store.callCount('get'), 4);
	t.is(store.callCount('get'), before);
});

test('read() fails with the reason when a request fails, and the next one succeeds', async t => {
	const {read, store, content} = await setUp(t);
	store.inject({method: 'get', error: 'unavailable', countMax: 1});
	const [first, second] = await Promise.allSettled([read(0, 10), read(blockBytes * 3, 10)]);
	t.is(first.status, 'rejected');
	t.is(second.status, 'fulfilled', 'who reads other bytes does not notice');
	t.true((await read(0, 10)).equals(content.subarray(0, 10)));
});

test('read() goes on in a new request where a connection breaks', async t => {
	const {read, store, content} = await setUp(t);
	store.inject({method: 'get', bodyBytesMax: 300_000, countMax: 2});
	t.true((await read(0, 2 * blockBytes)).equals(content.subarray(0, 2 * blockBytes)));
	t.is(store.callCount('get'), 3);
});

test('read() gives up when connections break again and again', async t => {
	const {read, store, content} = await setUp(t);
	const fault = store.inject({method: 'get', bodyBytesMax: 10});
	await t.throwsAsync(read(0, 1000), {code: 'unavailable'});
	t.true(store.callCount('get') <= 6);
	fault.remove();
	t.true((await read(0, 1000)).equals(content.subarray(0, 1000)), 'nothing wrong was kept');
});

test('read() does not believe a body that is shorter or longer than it should be', async t => {
	const inner = createMemoryObjectStore();
	await inner.put('object', Buffer.alloc(1000, 'a'));
	const version = (await inner.head('object'))!; // It was put just now.
	for (const [surplusBytes, code] of [
		[-1, 'unavailable'],
		[1, 'corrupt'],
	] as const) {
		const store = createFaultyObjectStore(inner);
		store.get = async (_key, {range = {start: 0, end: 1000}} = {}) => ({
			object: version,
			body: toBody(Buffer.alloc(range.end - range.start + surplusBytes, 'x')),
		});
		const reader = new ObjectReader({
			store,
			blockCache: noBlockCache,
			memoryBytesMax: 8 * blockBytes,
			partBytes: blockBytes,
		});
		await t.throwsAsync(reader.read(version, 0, Buffer.alloc(1000)), {code}, `${surplusBytes} bytes`);
		await reader.close();
	}
});

async function* toBody(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
	yield bytes;
}

test('read() of a version that was replaced fails in a bucket without versions, and goes on in one with', async t => {
	for (const isVersioned of [false, true]) {
		const {read, store, content} = await setUp(t, {isVersioned});
		await read(0, 10);
		await store.put('object', Buffer.alloc(content.length, 'other'));
		if (isVersioned) {
			t.true((await read(2 * blockBytes, 100)).equals(content.subarray(2 * blockBytes, 2 * blockBytes + 100)));
			await store.delete('object');
			t.true((await read(4 * blockBytes, 100)).equals(content.subarray(4 * blockBytes, 4 * blockBytes + 100)));
		} else {
			await t.throwsAsync(read(2 * blockBytes, 100), {code: 'preconditionFailed'});
			await store.delete('object');
			await t.throwsAsync(read(4 * blockBytes, 100), {code: 'notFound'});
		}
	}
});

test('read() takes damaged or lost blocks of the disk cache from the store', async t => {
	let getCount = 0;
	const losing: BlockCache = {
		...noBlockCache,
		has: () => true,
		async get() {
			getCount++;
			return undefined;
		},
	};
	const {read, content} = await setUp(t, {blockCache: losing});
	t.true((await read(0, 3 * blockBytes)).equals(content.subarray(0, 3 * blockBytes)));
	t.is(getCount, 3);
});

test('close() ends reads that are on their way', async t => {
	const {read, store, reader} = await setUp(t);
	const fault = store.inject({method: 'get', isBlocked: true});
	const reading = read(0, 10);
	await fault.reached;
	await reader.close();
	await t.throwsAsync(reading, {code: 'aborted'});
	await setImmediate();
});
