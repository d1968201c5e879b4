import test, {type ExecutionContext} from 'ava';
import {blockBytes, noBlockCache} from '../../src/cache/block-cache.ts';
import {ObjectReader} from '../../src/cache/object-reader.ts';
import {sliceBytes} from '../../src/cache/slice-reader.ts';
import {Metrics} from '../../src/observability/metrics.ts';
import type {ByteRange, GetRequest, ObjectHead} from '../../src/store/object-store.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';

const blockCount = 9;

/** A reader of an object of some blocks and a half, and what it asks for. */
const setUp = async (
	t: ExecutionContext,
	{isProtected = true, memoryBytes = 64 * blockBytes}: {isProtected?: boolean; memoryBytes?: number} = {},
) => {
	const store = createFaultyObjectStore(createMemoryObjectStore());
	const content = Buffer.alloc((blockCount + 0.5) * blockBytes);
	for (let offset = 0; offset < content.length; offset += 4) {
		content.writeUInt32BE(offset, offset);
	}

	await store.put('object', content);
	const version = (await store.head('object'))!; // It was put just now.
	const metrics = new Metrics();
	const reader = new ObjectReader({
		store,
		blockCache: noBlockCache,
		memoryBytesMax: memoryBytes,
		partBytes: 8 * blockBytes,
		fetchesWholePieces: !isProtected,
		metrics,
	});
	t.teardown(async () => reader.close());
	const ranges: ByteRange[] = [];
	const answer = store.get.bind(store);
	const asked = Promise.withResolvers<void>();
	store.get = async (key: string, request: GetRequest = {}) => {
		ranges.push(request.range ?? {start: 0, end: content.length});
		asked.resolve();
		return answer(key, request);
	};
	const sequence = reader.createSequence();
	return {
		store,
		reader,
		version,
		content,
		ranges,
		asked: asked.promise,
		sizes: () => ranges.map(({start, end}) => end - start),
		/** A read of one reader; whether it got the right bytes. */
		async reads(offset: number, length: number, object: ObjectHead = version): Promise<boolean> {
			const target = Buffer.alloc(length, 0xee);
			await reader.read(object, offset, target, sequence);
			return target.equals(content.subarray(offset, offset + length));
		},
	};
};

test('a random reader gets two slices, and those that it has are not fetched again', async t => {
	const {reads, sizes, ranges} = await setUp(t);
	t.true(await reads(5 * blockBytes + 100, 4096));
	t.deepEqual(ranges, [{start: 5 * blockBytes, end: 5 * blockBytes + 2 * sliceBytes}]);
	t.true(await reads(2 * blockBytes + 3 * sliceBytes + 7, 4096));
	t.true(await reads(5 * blockBytes + sliceBytes, 4096));
	t.true(await reads(7 * blockBytes + 2 * sliceBytes - 10, 20));
	t.deepEqual(
		sizes(),
		[2, 2, 4].map(count => count * sliceBytes),
		'The last one reaches over an edge',
	);
});

test('the end of the object is a slice of its own length', async t => {
	const {reads, content, ranges} = await setUp(t);
	t.true(await reads(5 * blockBytes, 10));
	t.true(await reads(content.length - 10, 10));
	t.deepEqual(ranges.at(-1), {start: content.length - 2 * sliceBytes, end: content.length});
});

test('a block of which half came in slices is fetched whole', async t => {
	const {reads, sizes} = await setUp(t);
	for (let index = 0; index < 10; index++) {
		t.true(await reads(5 * blockBytes + index * 2 * sliceBytes, 100));
		t.true(await reads(blockBytes * (1 + (index % 2)), 100), 'Somewhere else, so that it is not a sequence');
	}

	t.deepEqual(
		sizes().filter(bytes => bytes > 2 * sliceBytes),
		[blockBytes],
	);
});

test('random reads anywhere give the bytes that are there', async t => {
	// So few slices that those of one read push each other out.
	const {reads, content} = await setUp(t, {memoryBytes: 4 * blockBytes});
	const random = createRandomSource(testSeed());
	for (let count = 0; count < 200; count++) {
		const offset = random.below(content.length);
		const length = Math.min(content.length - offset, 1 + random.below(2 ** (3 + random.below(17))));
		t.true(await reads(offset, length), `${offset}+${length}`);
	}
});

test('readers of one slice at the same time share a request, and those of others do not wait for it', async t => {
	const {store, reader, version, content, asked, ranges} = await setUp(t);
	const read = async (offset: number) => {
		const target = Buffer.alloc(100);
		await reader.read(version, offset, target, reader.createSequence());
		return target.equals(content.subarray(offset, offset + 100));
	};

	const fault = store.inject({method: 'get', isBlocked: true, countMax: 1});
	const blocked = [read(5 * blockBytes), read(5 * blockBytes + 200)];
	await asked;
	await fault.reached;
	t.true(await read(5 * blockBytes + 2 * sliceBytes));
	t.is(ranges.length, 2);
	fault.remove();
	t.deepEqual(await Promise.all(blocked), [true, true]);
});

test('where nothing else protects a slice it comes twice, and a whole block when the copies differ', async t => {
	const {store, reads, sizes, reader, version} = await setUp(t, {isProtected: false});
	t.true(await reads(5 * blockBytes + 5, 100));
	t.deepEqual(sizes(), [sliceBytes + 64, sliceBytes].toReversed());
	t.deepEqual(reader.checksumStatus, {
		state: 'all',
		comparedBytes: 0,
		otherBytes: 0,
		twiceBytes: sliceBytes,
		otherKey: undefined,
	});

	const answer = store.get;
	let count = 0;
	store.get = async (key, request) => {
		const result = (await answer(key, request))!; // The object is there.
		const isDamaged = ++count === 2;
		const body = (async function* () {
			for await (const bytes of result.body) {
				const copy = Buffer.from(bytes);
				copy[Math.floor(copy.length / 2)]! ^= isDamaged ? 1 : 0;
				yield copy;
			}
		})();
		return {...result, body};
	};
	t.true(await reads(2 * blockBytes + 5, 100));
	t.deepEqual(sizes().slice(2), [sliceBytes, sliceBytes + 64, blockBytes]);
	t.is(reader.checksumStatus.comparedBytes, blockBytes);

	// Of one without checksums nothing is promised.
	t.true(await reads(8 * blockBytes, 100, {...version, blockSums: undefined}));
	t.is(reader.checksumStatus.otherBytes, 2 * sliceBytes);
	t.is(reader.checksumStatus.otherKey, 'object');
});
