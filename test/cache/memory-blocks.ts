import test from 'ava';
import {blockBytes} from '../../src/cache/block-cache.ts';
import {type MemoryBlock, MemoryBlocks} from '../../src/cache/memory-blocks.ts';

/** Loads a block, and counts the buffers that were ever made and not given back. */
const load = async (blocks: MemoryBlocks, id: string): Promise<MemoryBlock> => {
	const block = blocks.add(id, async buffer => {
		buffer[0] = id.length;
		return 1;
	});
	await block.loaded;
	return block;
};

test('a block that is not used gives its memory to the next one', async t => {
	const blocks = new MemoryBlocks({bytesMax: 4 * blockBytes});
	const buffers = new Set<Buffer>();
	for (let index = 0; index < 20; index++) {
		buffers.add((await load(blocks, `block ${index}`)).buffer);
	}

	t.is(buffers.size, 4);
	t.true(blocks.has('block 19'));
	t.false(blocks.has('block 15'));
});

test('a block that is in use keeps its bytes', async t => {
	const blocks = new MemoryBlocks({bytesMax: 4 * blockBytes});
	const pinned = await load(blocks, 'pinned');
	pinned.pins++;
	for (let index = 0; index < 20; index++) {
		await load(blocks, `another block ${index}`);
	}

	t.is(pinned.buffer[0], 'pinned'.length);
	t.is(blocks.get('pinned'), pinned);
});

test('memory that was borrowed while all blocks were in use is given back', async t => {
	const blocks = new MemoryBlocks({bytesMax: 4 * blockBytes});
	const busy: MemoryBlock[] = [];
	for (let index = 0; index < 50; index++) {
		const block = await load(blocks, `busy ${index}`);
		block.pins++;
		busy.push(block);
	}

	for (const block of busy) {
		blocks.unpin(block);
	}

	for (let index = 0; index < 4; index++) {
		await load(blocks, `next ${index}`);
	}

	t.is(busy.filter((_, index) => blocks.has(`busy ${index}`)).length, 0);
	t.is(blocks.spareCount, 4);
});

test('a block that failed is forgotten, and only those who wait for it hear of it', async t => {
	const blocks = new MemoryBlocks({bytesMax: 4 * blockBytes});
	const failing = blocks.add('failing', async () => {
		throw new Error('The disk is on fire');
	});
	const other = await load(blocks, 'other');
	await t.throwsAsync(failing.loaded, {message: 'The disk is on fire'});
	t.false(blocks.has('failing'));
	t.is(blocks.get('other'), other);
});

test('the buffer of a block that failed is not used again while somebody has the block', async t => {
	const blocks = new MemoryBlocks({bytesMax: 4 * blockBytes});
	const {promise, reject} = Promise.withResolvers<number>();
	const failing = blocks.add('failing', async () => promise);
	failing.pins++;
	reject(new Error('S3 is away'));
	await t.throwsAsync(failing.loaded, {message: 'S3 is away'});
	for (let index = 0; index < 4; index++) {
		t.not((await load(blocks, `next ${index}`)).buffer, failing.buffer);
	}
});
