import test, {type ExecutionContext} from 'ava';
import {type BlockCache, blockBytes, noBlockCache} from '../../src/cache/block-cache.ts';
import {BlockLoader} from '../../src/cache/block-loader.ts';
import type {MemoryBlock} from '../../src/cache/memory-blocks.ts';
import {coarsen, formatBlockSums, parseBlockSums} from '../../src/store/block-sums.ts';
import type {ObjectHead} from '../../src/store/object-store.ts';
import {createFaultyObjectStore, type FaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

type Setup = {
	readonly store: FaultyObjectStore;
	readonly loader: BlockLoader;
	readonly version: ObjectHead;
	/** The bytes of a block, once it is loaded. */
	readonly load: (index: number) => Promise<Buffer>;
};

/** An object of five blocks and a half, each of a letter of its own, and a loader of them. */
const setUp = async (
	t: ExecutionContext,
	{blockCache = noBlockCache, fetchesWholePieces}: {blockCache?: BlockCache; fetchesWholePieces?: boolean} = {},
): Promise<Setup> => {
	const store = createFaultyObjectStore(createMemoryObjectStore());
	await store.put(
		'object',
		Array.from('abcdef', (letter, index) => Buffer.alloc(index === 5 ? blockBytes / 2 : blockBytes, letter)),
	);
	const version = (await store.head('object'))!; // It was put just now.
	const loader = new BlockLoader({
		store,
		blockCache,
		memoryBytesMax: 16 * blockBytes,
		partBytes: 4 * blockBytes,
		fetchesWholePieces,
	});
	t.teardown(() => loader.close());
	return {
		store,
		loader,
		version,
		async load(index) {
			const block = loader.pin(version, index);
			try {
				return await bytesOf(block);
			} finally {
				loader.unpin(block);
			}
		},
	};
};

const bytesOf = async (block: MemoryBlock): Promise<Buffer> => {
	await block.loaded;
	return Buffer.from(block.buffer.subarray(0, block.length));
};

/** A disk cache in a map, which may claim to have blocks that it lost. */
const createMapCache = (options: {claims?: (index: number) => boolean} = {}) => {
	const blocks = new Map<string, Buffer>();
	const cache: BlockCache = {
		...noBlockCache,
		has: (version, index) => blocks.has(`${version}-${index}`) || options.claims?.(index) === true,
		async get(version, index, target) {
			const bytes = blocks.get(`${version}-${index}`);
			return bytes?.copy(target);
		},
		async put(version, index, bytes) {
			blocks.set(`${version}-${index}`, Buffer.from(bytes));
		},
	};
	return {cache, blocks};
};

test('start() asks for consecutive blocks in requests of up to a part, and pin() gives each its own bytes', async t => {
	const {store, loader, version, load} = await setUp(t);
	loader.start(version, 0, 5);
	t.is(store.callCount('get'), 2, 'four blocks and two');
	for (const [index, letter] of Array.from('abcdef').entries()) {
		t.true(loader.isInMemory(version, index));
		t.true((await load(index)).equals(Buffer.alloc(index === 5 ? blockBytes / 2 : blockBytes, letter)), letter);
	}

	t.is(store.callCount('get'), 2);
});

test('start() asks only for what is missing', async t => {
	const {store, loader, version, load} = await setUp(t);
	await load(1);
	loader.start(version, 0, 3);
	await Promise.all([load(0), load(1), load(2), load(3)]);
	t.is(store.callCount('get'), 3, 'block 1, block 0, blocks 2 and 3');
});

test('a connection that breaks after some blocks costs none of those', async t => {
	const {store, loader, version, load} = await setUp(t);
	store.inject({method: 'get', error: 'accessDenied', bodyBytesMax: 2 * blockBytes + 10});
	loader.start(version, 0, 3);
	const results = await Promise.allSettled([load(0), load(1), load(2), load(3)]);
	t.deepEqual(
		results.map(({status}) => status),
		['fulfilled', 'fulfilled', 'rejected', 'rejected'],
	);
	t.true(loader.isInMemory(version, 1));
	t.false(loader.isInMemory(version, 2), 'a failed block is forgotten');
});

test('blocks that came from the store are put on disk, and come from there afterwards', async t => {
	const {cache, blocks} = createMapCache();
	const first = await setUp(t, {blockCache: cache});
	first.loader.start(first.version, 0, 5);
	await Promise.all([0, 1, 2, 3, 4, 5].map(first.load));
	t.is(blocks.size, 6);
	const second = await setUp(t, {blockCache: cache});
	t.is(second.version.etag, first.version.etag);
	t.true(second.loader.isOnDisk(second.version, 5));
	second.loader.start(second.version, 4, 5);
	t.true((await second.load(5)).equals(Buffer.alloc(blockBytes / 2, 'f')));
	t.is(second.store.callCount('get'), 0);
});

test('a block keeps its bytes until the disk has them, whatever else is loaded meanwhile', async t => {
	const gate = Promise.withResolvers<void>();
	const written: Array<() => string> = [];
	const blockCache: BlockCache = {
		...noBlockCache,
		async put(_version, _index, bytes) {
			written.push(() => String.fromCharCode(bytes[0]!, bytes.at(-1)!)); // A block has bytes.
			await gate.promise;
		},
	};
	const {store, loader, load} = await setUp(t, {blockCache});
	t.true((await load(0)).length > 0);
	// Memory has 16 blocks, and nobody reads from these.
	for (let index = 0; index < 40; index++) {
		await store.put(`other ${index}`, Buffer.alloc(blockBytes, 'x'));
		const head = (await store.head(`other ${index}`))!; // It was put just now.
		const block = loader.pin(head, 0);
		await block.loaded;
		loader.unpin(block);
	}

	t.is(written[0]?.(), 'aa');
	gate.resolve();
});

test('a block that the disk has lost comes from the store, the last one of an object in its own length', async t => {
	const {cache} = createMapCache({claims: () => true});
	const {store, loader, version, load} = await setUp(t, {blockCache: cache});
	loader.start(version, 5, 5);
	t.true((await load(5)).equals(Buffer.alloc(blockBytes / 2, 'f')));
	t.is(store.callCount('get'), 1);
});

test('startFromAnswer() loads the block of a small object from a body, and asks for the rest where that breaks', async t => {
	const {store, loader} = await setUp(t);
	await store.put('small', Buffer.from('small content'));
	const fault = store.inject({method: 'get', bodyBytesMax: 5, countMax: 1});
	const answer = (await store.get('small'))!; // It was put just now.
	const {object} = answer;
	loader.startFromAnswer(object, answer);
	t.is((await bytesOf(loader.pin(object, 0))).toString(), 'small content');
	t.is(fault.hitCount, 1);
	t.is(store.callCount('get'), 2);
});

test('startFromAnswer() asks again where a body is longer than the object', async t => {
	const {store, loader} = await setUp(t);
	await store.put('small', Buffer.from('small content'));
	const {object} = (await store.get('small'))!; // It was put just now.
	const body = (async function* () {
		yield Buffer.from('small content and more');
	})();
	loader.startFromAnswer(object, {object, body});
	t.is((await bytesOf(loader.pin(object, 0))).toString(), 'small content');
	t.is(store.callCount('get'), 2);
});

test('where only whole pieces can be compared they are fetched, and what is there already is not read twice', async t => {
	const {cache, blocks} = createMapCache();
	const {store, loader, version, load} = await setUp(t, {blockCache: cache, fetchesWholePieces: true});
	const coarse = {...version, blockSums: formatBlockSums(coarsen(parseBlockSums(version.blockSums!)!)!)}; // It has six.
	loader.start(coarse, 3, 3);
	t.true(loader.isInMemory(coarse, 2));
	t.true(loader.isInMemory(coarse, 3));
	t.false(loader.isInMemory(coarse, 4));
	t.true((await load(3)).equals(Buffer.alloc(blockBytes, 'd')));
	t.true((await load(2)).equals(Buffer.alloc(blockBytes, 'c')));
	t.is(store.callCount('get'), 1);

	blocks.clear();
	const other = await setUp(t, {blockCache: cache, fetchesWholePieces: true});
	other.loader.start(other.version, 4, 4);
	t.true((await other.load(4)).equals(Buffer.alloc(blockBytes, 'e')));
	other.loader.start({...coarse, etag: other.version.etag}, 4, 5);
	t.true((await other.load(4)).equals(Buffer.alloc(blockBytes, 'e')));
	t.true((await other.load(5)).equals(Buffer.alloc(blockBytes / 2, 'f')));
	t.is(other.store.callCount('get'), 2);
});

test('close() ends what is on its way', async t => {
	const {store, loader, version} = await setUp(t);
	const fault = store.inject({method: 'get', isBlocked: true});
	const block = loader.pin(version, 0);
	await fault.reached;
	loader.close();
	await t.throwsAsync(block.loaded, {code: 'aborted'});
});
