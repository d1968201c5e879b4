import {mkdtemp, readFile, readdir, rm, stat, truncate, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {versionIdOf} from '../../src/cache/block-cache.ts';
import {DiskBlockCache} from '../../src/cache/disk-block-cache.ts';
import {runCommand} from '../../src/node/host/run-command.ts';
import {createDeadline} from '../../src/node/deadline.ts';
import {root, testThatNeeds} from '../support/needs.ts';

const version = versionIdOf({key: 'file', etag: 'etag', sizeBytes: 1000});
const headerBytes = 16;

const createDirectory = async (t: ExecutionContext): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-cache-'));
	t.teardown(async () => rm(directory, {recursive: true, force: true}));
	return directory;
};

const openCache = async (directory: string, bytesMax = 2 ** 20): Promise<DiskBlockCache & {errors: unknown[]}> => {
	const errors: unknown[] = [];
	return Object.assign(await DiskBlockCache.open({directory, bytesMax, onError: error => void errors.push(error)}), {
		errors,
	});
};

const get = async (cache: DiskBlockCache, index: number): Promise<string | undefined> => {
	const target = Buffer.alloc(1000);
	const length = await cache.get(version, index, target);
	return length === undefined ? undefined : target.subarray(0, length).toString();
};

const blockFiles = async (directory: string): Promise<string[]> =>
	(await readdir(directory, {recursive: true, withFileTypes: true}))
		.filter(entry => entry.isFile())
		.map(entry => join(entry.parentPath, entry.name))
		.toSorted();

const bytesOf = async (directory: string): Promise<number> => {
	const sizes = await Promise.all((await blockFiles(directory)).map(async file => (await stat(file)).size));
	return sizes.reduce((sum, size) => sum + size, 0);
};

test('a block is there after a restart, and not that of another version or index', async t => {
	const directory = await createDirectory(t);
	const cache = await openCache(directory);
	await cache.put(version, 7, Buffer.from('content'));
	await cache.close();
	const restarted = await openCache(directory);
	t.true(restarted.has(version, 7));
	t.is(await get(restarted, 7), 'content');
	t.is(await get(restarted, 8), undefined);
	t.is(restarted.usedBytes, headerBytes + 'content'.length);
	t.false(restarted.has(versionIdOf({key: 'file', etag: 'other', sizeBytes: 1000}), 7));
});

for (const [title, damage] of [
	['every byte of it that is flipped', undefined],
	['a file that was cut', async (file: string) => truncate(file, 18)],
	['an empty file', async (file: string) => truncate(file, 0)],
	['a file of something else', async (file: string) => writeFile(file, 'something else that is longer than a header')],
	['a file that was deleted', async (file: string) => rm(file)],
] as const) {
	test(`a damaged block is never answered: ${title}`, async t => {
		const directory = await createDirectory(t);
		const flips =
			damage === undefined
				? Array.from({length: headerBytes + 5}, (_, position) => async (file: string) => {
						const bytes = await readFile(file);
						bytes[position]! ^= 1; // Within the length of the file.
						await writeFile(file, bytes);
					})
				: [damage];
		for (const change of flips) {
			const cache = await openCache(directory);
			await cache.put(version, 0, Buffer.from('bytes'));
			await change((await blockFiles(directory))[0]!); // The one that was put.
			t.is(await get(cache, 0), undefined);
			t.true(cache.errors.length > 0);
			t.false(cache.has(version, 0));
			t.is(cache.usedBytes, 0);
			t.deepEqual(await blockFiles(directory), []);
			await cache.put(version, 0, Buffer.from('again'));
			t.is(await get(cache, 0), 'again');
			await rm(directory, {recursive: true});
		}
	});
}

test('when the cache is full, the blocks that were not used for longest go first', async t => {
	const directory = await createDirectory(t);
	const cache = await openCache(directory, 3 * (headerBytes + 100));
	for (const index of [0, 1, 2]) {
		await cache.put(version, index, Buffer.alloc(100, index));
	}

	await get(cache, 0);
	await cache.put(version, 3, Buffer.alloc(100, 3));
	t.deepEqual(
		[0, 1, 2, 3].filter(index => cache.has(version, index)),
		[0, 2, 3],
	);
	t.is((await blockFiles(directory)).length, 3);
});

test('the bound holds for blocks that are put at the same time, and after a restart with a smaller one', async t => {
	const directory = await createDirectory(t);
	const bytesMax = 4 * (headerBytes + 100);
	const cache = await openCache(directory, bytesMax);
	for (let round = 0; round < 4; round++) {
		await Promise.all(
			Array.from({length: 8}, async (_, index) => cache.put(version, round * 8 + index, Buffer.alloc(100, index))),
		);
		const sizes = await Promise.all((await blockFiles(directory)).map(async file => (await stat(file)).size));
		t.true(sizes.reduce((total, size) => total + size, 0) <= bytesMax, `${sizes.length} files`);
		t.is(
			cache.usedBytes,
			sizes.reduce((total, size) => total + size, 0),
		);
	}

	const files = await blockFiles(directory);
	await utimes(files[0]!, 1, 1); // There are four.
	const smaller = await openCache(directory, bytesMax / 2);
	t.true(smaller.usedBytes <= bytesMax / 2);
	t.false((await blockFiles(directory)).includes(files[0]!), 'the oldest is gone');
});

test('what a crash left half written is removed at the next start', async t => {
	const directory = await createDirectory(t);
	await (await openCache(directory)).put(version, 0, Buffer.from('bytes'));
	const [file] = await blockFiles(directory);
	await writeFile(`${file!.slice(0, file!.lastIndexOf('/'))}/.tmp-0123456789ab`, 'half'); // The one that was put.
	const restarted = await openCache(directory);
	t.deepEqual(await blockFiles(directory), [file]);
	t.is(await get(restarted, 0), 'bytes');
});

test('a disk that takes no more costs no read and is not counted as used', async t => {
	const directory = await createDirectory(t);
	const cache = await openCache(directory);
	await rm(join(directory, 'v1'), {recursive: true});
	await writeFile(join(directory, 'v1'), 'in the way');
	await t.notThrowsAsync(cache.put(version, 0, Buffer.from('bytes')));
	t.true(cache.errors.length > 0);
	t.is(cache.usedBytes, 0);
	t.is(await get(cache, 0), undefined);
});

test('a block larger than the cache is not kept', async t => {
	const cache = await openCache(await createDirectory(t), 100);
	await cache.put(version, 0, Buffer.alloc(100));
	t.false(cache.has(version, 0));
	t.is(cache.usedBytes, 0);
});

test('a part of the disk stays free: blocks go when others take of it, and new ones come in the place of old ones', async t => {
	const directory = await createDirectory(t);
	const totalBytes = 2 ** 30;
	const reservedBytes = totalBytes / 10;
	let othersBytes = 0;
	const cache: DiskBlockCache = await DiskBlockCache.open({
		directory,
		bytesMax: totalBytes,
		onError: error => t.fail(String(error)),
		readSpace: async () => ({totalBytes, freeBytes: totalBytes - othersBytes - (await bytesOf(directory))}),
	});
	t.teardown(async () => cache.close());
	const block = Buffer.alloc(2 ** 20, 'x');
	const putBlocks = async (first: number): Promise<void> => {
		for (let index = first; index < first + 8; index++) {
			await cache.put(version, index, block);
		}
	};

	await putBlocks(0);
	t.is((await blockFiles(directory)).length, 8);
	othersBytes = totalBytes - reservedBytes - 10 * 2 ** 20;
	await cache.giveWay();
	const left = (await blockFiles(directory)).length;
	t.true(left > 0 && left < 8, `${left} are left`);
	await putBlocks(8);
	t.true(cache.has(version, 15));
	t.true(totalBytes - othersBytes - (await bytesOf(directory)) >= reservedBytes, 'What is to be free is free');

	othersBytes = totalBytes;
	await cache.giveWay();
	t.deepEqual(await blockFiles(directory), []);
	await putBlocks(16);
	t.deepEqual(await blockFiles(directory), [], 'Nothing is cached on a full disk');
	t.is(cache.usedBytes, 0);
});

const {serial: asRoot} = testThatNeeds(root);

asRoot('a block of which a full disk takes a part, or nothing, leaves no half behind and does not count', async t => {
	const directory = await createDirectory(t);
	const deadline = createDeadline(300_000);
	await runCommand('mount', ['-n', '-t', 'tmpfs', '-o', 'size=256k', 'small', directory], deadline);
	t.teardown(async () => runCommand('umount', ['-l', directory], createDeadline(300_000)));
	const errors: unknown[] = [];
	const cache = await DiskBlockCache.open({
		directory,
		bytesMax: 2 ** 30,
		onError: error => void errors.push(error),
		// It does not notice how little is left.
		readSpace: async () => ({freeBytes: 2 ** 40, totalBytes: 2 ** 40}),
	});
	t.teardown(async () => cache.close());
	await cache.put(version, 0, Buffer.alloc(100_000));
	for (const index of [1, 2]) {
		await cache.put(version, index, Buffer.alloc(index * 200_000, 'x'));
		t.is(errors.length, index);
		t.false(cache.has(version, index));
		t.is((await blockFiles(join(directory, 'v1'))).length, 1);
		t.is(cache.usedBytes, headerBytes + 100_000);
		// Nothing is left for the first byte of the next one.
		await writeFile(join(directory, 'filler'), Buffer.alloc(2 ** 20)).catch(() => undefined);
	}

	t.is(await cache.get(version, 0, Buffer.alloc(100_000)), 100_000);
});
