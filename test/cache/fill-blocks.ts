import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {blockBytes} from '../../src/cache/block-cache.ts';
import {ChecksumAccount} from '../../src/cache/checksum-account.ts';
import {fillBlocks, type BlockSource} from '../../src/cache/fill-blocks.ts';
import {coarsen, formatBlockSums, sumBody} from '../../src/store/block-sums.ts';
import type {GetResult, ObjectHead, ObjectStore} from '../../src/store/object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

type Setup = {
	readonly source: BlockSource;
	readonly version: ObjectHead;
	readonly content: Buffer;
	/** Blocks that were handed over, in their order; fails when one of them is wrong. */
	readonly fill: (first: number, count: number) => Promise<number[]>;
};

/** An object, whose byte at each of these offsets comes flipped once. */
const setUp = async (
	t: ExecutionContext,
	{
		flips = [],
		sizeBytes = 4 * blockBytes + 10,
		change = answer => answer,
	}: {flips?: number[]; sizeBytes?: number; change?: (answer: GetResult) => GetResult},
): Promise<Setup> => {
	const inner = createMemoryObjectStore();
	const content = randomBytes(sizeBytes);
	await inner.put('object', content);
	const store: ObjectStore = Object.assign(Object.create(inner) as ObjectStore, {
		async get(...[key, request]: Parameters<ObjectStore['get']>) {
			const answer = await inner.get(key, request);
			return answer && change({...answer, body: flipping(answer.body, request?.range?.start ?? 0, flips)});
		},
	});
	const source: BlockSource = {
		store,
		signal: new AbortController().signal,
		resumptions: {value: 0},
		checksums: new ChecksumAccount(),
	};
	const version = (await inner.head('object'))!; // It was put just now.
	return {
		source,
		version,
		content,
		async fill(first, count) {
			const buffers = Array.from({length: count}, () => Buffer.alloc(blockBytes));
			const handed: number[] = [];
			await fillBlocks(source, version, {first, buffers}, (position, length) => {
				const start = (first + position) * blockBytes;
				t.true(
					buffers[position]!.subarray(0, length).equals(
						content.subarray(start, Math.min(start + blockBytes, sizeBytes)),
					),
					`block ${position}`,
				);
				handed.push(position);
			});
			return handed;
		},
	};
};

async function* flipping(body: AsyncIterable<Uint8Array>, start: number, flips: number[]): AsyncGenerator<Uint8Array> {
	let offset = start;
	for await (const bytes of body) {
		const index = flips.findIndex(flip => flip >= offset && flip < offset + bytes.length);
		if (index !== -1) {
			const [flip] = flips.splice(index, 1);
			bytes[flip! - offset]! ^= 16;
		}

		offset += bytes.length;
		yield bytes;
	}
}

const withSums = (answer: GetResult, blockSums: string | undefined): GetResult => ({
	...answer,
	object: {...answer.object, blockSums},
});

test('a damaged block is asked for again, and those before it are not', async t => {
	const {source, fill} = await setUp(t, {flips: [2 * blockBytes + 5, 2 * blockBytes + 5, 4 * blockBytes + 1]});
	t.deepEqual(await fill(0, 5), [0, 1, 2, 3, 4]);
	t.is(source.checksums.damages.value, 3);
	t.deepEqual(source.checksums.status, {
		state: 'all',
		comparedBytes: 4 * blockBytes + 10,
		otherBytes: 0,
		twiceBytes: 0,
		otherKey: undefined,
	});
});

test('a block that stays damaged is not handed over, and the error says what to do', async t => {
	const {fill} = await setUp(t, {flips: Array.from({length: 4}, () => 2 * blockBytes + 5)});
	await t.throwsAsync(fill(1, 3), {
		code: 'corrupt',
		message:
			/^Cannot read object: its bytes came 4 times without .* \(wrong bytes from 2097152 to 3145728\): use https/,
	});
});

test('blocks of one checksum are handed over together, when all of them are there', async t => {
	const blocks = 4;
	const coarse = (content: Buffer) => formatBlockSums(coarsen(sumBody(content)!)!); // There are more pieces than one.
	let sums = '';
	const {source, content, fill} = await setUp(t, {
		sizeBytes: blocks * blockBytes,
		flips: [blockBytes + 5],
		change: answer => withSums(answer, sums),
	});
	sums = coarse(content);
	t.deepEqual(await fill(0, 4), [0, 1, 2, 3]);
	t.is(source.checksums.damages.value, 1);
	t.is(source.checksums.status.otherBytes, 0);
	// Half of a piece cannot be compared.
	t.deepEqual(await fill(1, 1), [0]);
	t.deepEqual(source.checksums.status.state, 'some');
	t.is(source.checksums.status.otherBytes, blockBytes);
	t.is(source.checksums.status.otherKey, 'object');
});

test('without checksums of its pieces, what the store compares as a whole is handed over at its end', async t => {
	let handedEarly = 0;
	const {source, version} = await setUp(t, {
		change: answer => ({...withSums(answer, undefined), isChecked: true, body: endsWith(answer.body, () => handed)}),
	});
	let handed = 0;
	async function* endsWith(body: AsyncIterable<Uint8Array>, count: () => number): AsyncGenerator<Uint8Array> {
		yield* body;
		handedEarly = count();
	}

	const buffers = Array.from({length: 5}, () => Buffer.alloc(blockBytes));
	await fillBlocks(source, version, {first: 0, buffers}, () => {
		handed++;
	});
	t.is(handedEarly, 0);
	t.is(handed, 5);
	t.is(source.checksums.status.state, 'all');
});

test('without any checksum blocks are handed over as they come, and counted as such', async t => {
	const {source, fill} = await setUp(t, {change: answer => withSums(answer, undefined)});
	t.deepEqual(await fill(0, 5), [0, 1, 2, 3, 4]);
	t.is(source.checksums.status.state, 'none');
});
