import {appendFile, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {DiskAttributeCache} from '../../src/cache/disk-attribute-cache.ts';
import type {ObjectHead} from '../../src/store/object-store.ts';

const head = (key: string, changed: Partial<ObjectHead> = {}): ObjectHead => ({
	key,
	etag: 'etag',
	sizeBytes: 3,
	lastModifiedMs: 5000,
	metadata: {'file-permissions': '0100600'},
	contentType: 'text/plain',
	writeIds: ['id'],
	isSettled: true,
	...changed,
});

const listed = (key: string, changed: Partial<ObjectHead> = {}) => ({
	key,
	etag: 'etag',
	sizeBytes: 3,
	lastModifiedMs: 5000,
	...changed,
});

const createDirectory = async (t: ExecutionContext): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-attributes-'));
	t.teardown(async () => rm(directory, {recursive: true, force: true}));
	return directory;
};

const openCache = async (directory: string, bytesMax = 2 ** 20) => {
	const errors: unknown[] = [];
	const cache = await DiskAttributeCache.open({directory, bytesMax, onError: error => void errors.push(error)});
	return {cache, errors};
};

const fileOf = (directory: string): string => join(directory, 'attributes.v1');

const write = async (directory: string, heads: readonly ObjectHead[], bytesMax?: number): Promise<void> => {
	const {cache} = await openCache(directory, bytesMax);
	for (const noted of heads) {
		cache.note(noted);
	}

	await cache.close();
};

test('what HEAD said of a version is there after a restart, and not for another version', async t => {
	const directory = await createDirectory(t);
	const key = 'd/with "quotes",\ta tab and \u{1F600}';
	await write(directory, [head('other'), head(key)]);
	const {cache, errors} = await openCache(directory);
	t.like(cache.find(listed(key)), {
		key,
		etag: 'etag',
		sizeBytes: 3,
		lastModifiedMs: 5000,
		metadata: {'file-permissions': '0100600'},
		contentType: 'text/plain',
		writeIds: ['id'],
	});
	t.truthy(cache.find(listed(key, {lastModifiedMs: 5999})), 'HEAD tells whole seconds');
	t.is(cache.find(listed(key, {lastModifiedMs: 6000})), undefined, 'a change of attributes alone keeps the etag');
	t.is(cache.find(listed(key, {etag: 'newer'})), undefined);
	t.is(cache.find(listed(key, {sizeBytes: 4})), undefined);
	t.is(cache.find(listed('d/none')), undefined);
	t.true(cache.has(key));
	t.false(cache.has('d/none'));
	t.deepEqual(errors, []);
	await cache.close();
});

test('what a later version cannot be told from is not kept', async t => {
	const {cache} = await openCache(await createDirectory(t));
	const {isSettled: _, ...young} = head('young');
	cache.note(young);
	cache.note(head('ours', {isFromAnswer: true}));
	t.is(cache.find(listed('young')), undefined);
	t.is(cache.find(listed('ours')), undefined);
	await cache.close();
});

test('the last line of a key counts', async t => {
	const directory = await createDirectory(t);
	await write(directory, [head('a'), head('a', {etag: 'newer'})]);
	await write(directory, [head('a', {etag: 'newest'})]);
	const {cache} = await openCache(directory);
	t.truthy(cache.find(listed('a', {etag: 'newest'})));
	t.is(cache.find(listed('a')), undefined);
	await cache.close();
});

test('half a line at the end is left out, and does not spoil what comes after it', async t => {
	const directory = await createDirectory(t);
	await write(directory, [head('a'), head('b')]);
	await truncate(fileOf(directory), (await stat(fileOf(directory))).size - 5);
	const {cache, errors} = await openCache(directory);
	t.truthy(cache.find(listed('a')));
	t.is(cache.find(listed('b')), undefined);
	cache.note(head('c'));
	await cache.close();
	const again = await openCache(directory);
	t.truthy(again.cache.find(listed('a')));
	t.truthy(again.cache.find(listed('c')));
	t.deepEqual([...errors, ...again.errors], []);
	await again.cache.close();
});

test('a file with other damage is thrown away whole, whichever byte it is', async t => {
	const directory = await createDirectory(t);
	await write(directory, [head('a'), head('b')]);
	const bytes = await readFile(fileOf(directory));
	for (let index = 0; index < bytes.length - 1; index++) {
		const damaged = Buffer.from(bytes);
		damaged[index] = damaged[index]! ^ 1; // The loop's bound.
		await writeFile(fileOf(directory), damaged);
		const {cache, errors} = await openCache(directory);
		t.deepEqual([cache.has('a'), cache.has('b'), errors.length], [false, false, 1], `byte ${index}`);
		t.deepEqual(await readdir(directory), []);
		await cache.close();
	}
});

test('neither what is known nor the file grows beyond its bound', async t => {
	const directory = await createDirectory(t);
	const bytesMax = 10_000;
	const {cache} = await openCache(directory, bytesMax);
	for (let index = 0; index < 1000; index++) {
		cache.note(head(`${index}`));
	}

	await cache.close();
	t.false(cache.has('0'));
	t.true(cache.has('999'));
	for (let round = 0; round < 20; round++) {
		await write(
			directory,
			Array.from({length: 10}, (_, index) => head(`${index}`, {etag: `${round}`})),
			bytesMax,
		);
		t.true((await stat(fileOf(directory))).size <= 2 * bytesMax);
	}

	const restarted = await openCache(directory, bytesMax);
	t.truthy(restarted.cache.find(listed('9', {etag: '19'})));
	await restarted.cache.close();
});

test('a disk that cannot be written costs what a restart would know, and nothing else', async t => {
	const directory = await createDirectory(t);
	await mkdir(fileOf(directory));
	const {cache, errors} = await openCache(directory);
	cache.note(head('a'));
	t.truthy(cache.find(listed('a')));
	await cache.close();
	t.true(errors.length > 0);
});

test('when the disk is full the file goes', async t => {
	const directory = await createDirectory(t);
	await write(directory, [head('a')]);
	await appendFile(fileOf(directory), '');
	const {cache} = await openCache(directory);
	cache.note(head('b'));
	await cache.giveWay();
	t.deepEqual(await readdir(directory), []);
	t.truthy(cache.find(listed('a')), 'memory knows it still');
	await cache.close();
	t.deepEqual(await readdir(directory), []);
});
