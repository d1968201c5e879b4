import test from 'ava';
import {MetadataCache} from '../../src/cache/metadata-cache.ts';
import {KnownMarkers} from '../../src/filesystem/known-markers.ts';
import {Namespace} from '../../src/filesystem/namespace.ts';
import type {ListPage, ObjectHead} from '../../src/store/object-store.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

/** Names over a store in memory, with all that HEAD says of the keys known from before where the test wants that. */
const setUp = async (keys: readonly string[], {knowsAttributes = false}: {knowsAttributes?: boolean} = {}) => {
	const bucket = createMemoryObjectStore();
	const heads = new Map<string, ObjectHead>();
	for (const key of keys) {
		await bucket.put(key, new Uint8Array(), {metadata: {'file-permissions': '0600'}});
		if (knowsAttributes) {
			heads.set(key, (await bucket.head(key))!); // It was put just now.
		}
	}

	const store = createFaultyObjectStore(bucket);
	const clock = {nowMs: 0};
	const now = () => clock.nowMs;
	const attributes = {
		find: ({key, etag}: {key: string; etag: string}) => (heads.get(key)?.etag === etag ? heads.get(key) : undefined),
		has: (key: string) => heads.has(key),
		note: () => undefined,
		giveWay: async () => undefined,
		close: async () => undefined,
	};
	const cache = new MetadataCache({ttlMs: 1000, now, attributes});
	const markers = new KnownMarkers({now});
	const defaults = {uid: 1, gid: 2, fileMode: 0o644, dirMode: 0o755, attributes: 'posix' as const};
	return {bucket, store, cache, clock, namespace: new Namespace({store, cache, markers, defaults})};
};

/** Goes through a directory as a program does; gives its names, and how many listings that took. */
const goThrough = async ({store, namespace}: Awaited<ReturnType<typeof setUp>>, directory: string) => {
	const before = store.callCount('list');
	namespace.opened(directory);
	const names: string[] = [];
	let page: ListPage | undefined;
	do {
		page = await namespace.list(directory, page?.continuationToken);
		names.push(...page.objects.map(({key}) => key), ...page.prefixes);
	} while (page.continuationToken !== undefined);
	namespace.closed(directory);
	return {names: names.filter(name => name !== `${directory}/`).toSorted(), count: store.callCount('list') - before};
};

const tree = ['t/a/', 't/a/1', 't/a/2', 't/b/', 't/b/x/', 't/b/x/3', 't/c/', 't/c.d/4', 't/e', 't/e/5', 't/f'];

test('a walk through a tree lists what lies below it once', async t => {
	const names = await setUp(tree);
	t.deepEqual(await goThrough(names, 't'), {names: ['t/a/', 't/b/', 't/c.d/', 't/c/', 't/e', 't/e/', 't/f'], count: 1});
	t.deepEqual(await goThrough(names, 't/a'), {names: ['t/a/1', 't/a/2'], count: 1});
	t.deepEqual(await goThrough(names, 't/b'), {names: ['t/b/x/'], count: 0});
	t.deepEqual(await goThrough(names, 't/b/x'), {names: ['t/b/x/3'], count: 0});
	t.deepEqual(await goThrough(names, 't/c'), {names: [], count: 0});
	t.deepEqual(await goThrough(names, 't/c.d'), {names: ['t/c.d/4'], count: 0});
	t.deepEqual(await goThrough(names, 't/e'), {names: ['t/e/5'], count: 0});
	t.is((await goThrough(names, 't/e')).count, 1, 'and each listing is used once');
});

test('a directory is listed anew when this node changed a name in it, or the listing is too old', async t => {
	const names = await setUp(tree);
	await goThrough(names, 't');
	await goThrough(names, 't/a');
	await names.bucket.put('t/b/new', new Uint8Array());
	names.cache.change('t/b/new', undefined);
	t.deepEqual((await goThrough(names, 't/b')).names, ['t/b/new', 't/b/x/']);
	await names.bucket.put('t/c/new', new Uint8Array());
	names.clock.nowMs = 1000;
	t.deepEqual((await goThrough(names, 't/c')).names, ['t/c/new']);
});

test('a directory whose parent no program has listed is listed by itself', async t => {
	const names = await setUp(tree);
	await names.namespace.list('t', undefined);
	t.is((await goThrough(names, 't/a')).count, 1);
	t.is((await goThrough(names, 't/b')).count, 1);
});

test('directories that do not fit a page are listed by themselves, and all names are found', async t => {
	const large = Array.from({length: 1500}, (_, index) => `t/b/${index.toString().padStart(4, '0')}`);
	const small = Array.from({length: 30}, (_, index) => `t/s${index.toString().padStart(2, '0')}`);
	const keys = [
		't/a/1',
		...large,
		...small.flatMap(name => Array.from({length: 100}, (_, index) => `${name}/${index}`)),
	];
	const names = await setUp(keys);
	await goThrough(names, 't');
	t.deepEqual((await goThrough(names, 't/a')).names, ['t/a/1']);
	t.deepEqual((await goThrough(names, 't/b')).names, large);
	let count = 0;
	for (const name of small) {
		const found = await goThrough(names, name);
		t.is(found.names.length, 100, name);
		count += found.count;
	}

	t.true(count <= 10, `30 directories of 100 names took ${count} listings`);
});

test('where attributes are known, listings tell them also to a program that is slower than they are good for', async t => {
	const keys = Array.from({length: 2500}, (_, index) => `t/${index.toString().padStart(4, '0')}`);
	const names = await setUp(keys, {knowsAttributes: true});
	names.namespace.opened('t');
	let page: ListPage | undefined;
	do {
		page = await names.namespace.list('t', page?.continuationToken);
	} while (page.continuationToken !== undefined);
	names.clock.nowMs = 2000;
	for (const key of keys) {
		t.like(await names.namespace.lookup(key), {kind: 'object', attributes: {permissions: 0o600}});
	}

	t.is(names.store.callCount('head'), 0);
	t.true(names.store.callCount('list') <= 7);
});

test('what a listing does not name any more is asked for, and so is another version', async t => {
	const names = await setUp(['t/a', 't/b', 't/c'], {knowsAttributes: true});
	names.namespace.opened('t');
	await names.namespace.list('t', undefined);
	names.clock.nowMs = 2000;
	await names.bucket.delete('t/a');
	await names.bucket.put('t/b', Buffer.from('new'), {metadata: {'file-permissions': '0640'}});
	t.is(await names.namespace.lookup('t/a'), undefined);
	t.like(await names.namespace.lookup('t/b'), {attributes: {permissions: 0o640}});
	t.like(await names.namespace.lookup('t/c'), {attributes: {permissions: 0o600}});
});

test('markers of many directories are asked for by a listing when their attributes are known', async t => {
	const directories = Array.from({length: 40}, (_, index) => `t/${index.toString().padStart(2, '0')}`);
	const names = await setUp(
		directories.map(directory => `${directory}/`),
		{knowsAttributes: true},
	);
	names.namespace.opened('t');
	await names.namespace.list('t', undefined);
	for (const directory of directories) {
		t.like(await names.namespace.lookup(directory), {kind: 'directory', attributes: {permissions: 0o600}});
	}

	t.is(names.store.callCount('head'), 0);
	t.is(names.store.callCount('list'), 2);
});
