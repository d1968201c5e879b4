import test, {type ExecutionContext} from 'ava';
import {blockBytes, noBlockCache} from '../../src/cache/block-cache.ts';
import {ObjectReader} from '../../src/cache/object-reader.ts';
import {lookUpWithContent} from '../../src/filesystem/look-up-with-content.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

const setUp = async (t: ExecutionContext, content: Uint8Array) => {
	const store = createFaultyObjectStore(createMemoryObjectStore());
	await store.put('file', content);
	const known = (await store.head('file'))!; // It was put just now.
	const reader = new ObjectReader({store, blockCache: noBlockCache, memoryBytesMax: 2 ** 23, partBytes: 2 ** 20});
	t.teardown(async () => reader.close());
	const counts = () => ({head: store.callCount('head') - 1, get: store.callCount('get')});
	return {store, reader, known, counts};
};

test('lookUpWithContent() of a small object that did not change is the only request of its reads', async t => {
	const {store, reader, known, counts} = await setUp(t, Buffer.from('content'));
	t.is((await lookUpWithContent({store, reader}, 'file', known))?.etag, known.etag);
	const target = Buffer.alloc(7);
	await reader.read(known, 0, target);
	t.is(target.toString(), 'content');
	t.deepEqual(counts(), {head: 0, get: 1});
	await lookUpWithContent({store, reader}, 'file', known);
	t.deepEqual(counts(), {head: 1, get: 1}, 'the bytes are here: nobody asks for them again');
});

test('lookUpWithContent() of an object that was replaced tells the new version and keeps none of its bytes', async t => {
	const {store, reader, known, counts} = await setUp(t, Buffer.from('content'));
	await store.put('file', Buffer.from('changed'));
	const found = await lookUpWithContent({store, reader}, 'file', known);
	t.not(found?.etag, known.etag);
	t.true(reader.lacksWhole(known));
	t.true(reader.lacksWhole(found!)); // It is there: its etag was read just now.
	t.deepEqual(counts(), {head: 0, get: 1});
});

test('lookUpWithContent() asks for no bytes of an empty object or of one of more than a block', async t => {
	for (const sizeBytes of [0, blockBytes + 1]) {
		const {store, reader, known, counts} = await setUp(t, Buffer.alloc(sizeBytes));
		t.is((await lookUpWithContent({store, reader}, 'file', known))?.sizeBytes, sizeBytes);
		t.deepEqual(counts(), {head: 1, get: 0});
	}
});

test('lookUpWithContent() of an object that is gone is undefined', async t => {
	const {store, reader, known} = await setUp(t, Buffer.from('content'));
	await store.delete('file');
	t.is(await lookUpWithContent({store, reader}, 'file', known), undefined);
});
