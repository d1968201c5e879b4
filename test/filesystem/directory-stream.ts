import test from 'ava';
import {DirectoryStream} from '../../src/filesystem/directory-stream.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

/** A stream over a store in memory, with pages of so many entries; `localNames` may be filled later. */
const setUp = async (keys: readonly string[], {pageCount = 2, directory = 'd'} = {}) => {
	const store = createMemoryObjectStore();
	for (const key of keys) {
		await store.put(key, new Uint8Array());
	}

	const localNames: string[] = [];
	const listed: Array<string | undefined> = [];
	const stream = new DirectoryStream({
		directory,
		async list(continuationToken) {
			listed.push(continuationToken);
			const prefix = directory === '' ? '' : `${directory}/`;
			return store.list({prefix, delimiter: '/', continuationToken, countMax: pageCount});
		},
		localNames: () => localNames,
	});
	return {store, stream, localNames, listed};
};

/** Everything from an index on, as a program reads it; `d/` stands for a directory. */
const readAll = async (stream: DirectoryStream, from = 0): Promise<string[]> => {
	const names: string[] = [];
	for (;;) {
		const entries = await stream.entriesFrom(from + names.length);
		if (entries.length === 0) {
			return names;
		}

		names.push(...entries.map(({name, isDirectory}) => (isDirectory ? `${name}/` : name)));
	}
};

test('entries come page by page in the order of S3, without the marker and keys that are not names', async t => {
	const {stream, listed} = await setUp(['d/', 'd/a', 'd/b/x', 'd/b/y', 'd/c', 'd//z', 'd/./z', 'e']);
	t.deepEqual(await readAll(stream), ['a', 'b/', 'c']);
	t.true(listed.length > 1);
	t.deepEqual(
		stream.allNames,
		new Map([
			['a', false],
			['b', true],
			['c', false],
		]),
	);
	const {length} = listed;
	t.deepEqual((await stream.entriesFrom(1))[0], {name: 'b', isDirectory: true});
	t.deepEqual(await readAll(stream, 1), ['b/', 'c']);
	t.is(listed.length, length, 'pages that were read are not asked for again');
});

test('an empty directory is empty, and the root has no prefix', async t => {
	const {stream} = await setUp(['d/']);
	t.deepEqual(await readAll(stream), []);
	t.deepEqual(stream.allNames, new Map());
	const root = await setUp(['a', 'b/x'], {directory: ''});
	t.deepEqual(await readAll(root.stream), ['a', 'b/']);
});

test('names that only this node has come where they belong, each once', async t => {
	const {stream, localNames} = await setUp(['d/b', 'd/d', 'd/f']);
	localNames.push('a', 'b', 'c', 'e', 'g');
	t.deepEqual(await readAll(stream), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});

test('a name that S3 has as object and as directory is the directory when both are in one page', async t => {
	const {stream} = await setUp(['d/a', 'd/a/x', 'd/b'], {pageCount: 10});
	t.deepEqual(await readAll(stream), ['a/', 'b']);
});

test('a name that S3 has as object and as directory comes once when they are pages apart', async t => {
	const between = Array.from({length: 7}, (_, index) => `d/a!${index}`);
	const {stream} = await setUp(['d/a', ...between, 'd/a/x', 'd/b']);
	const names = await readAll(stream);
	t.deepEqual(
		names.filter(name => name.startsWith('a') && !name.includes('!')),
		['a'],
	);
	t.is(names.length, between.length + 2);
});

test('what is made behind the place of a stream is not seen before rewind()', async t => {
	const {store, stream} = await setUp(['d/b', 'd/c', 'd/d']);
	t.deepEqual(
		(await stream.entriesFrom(0)).map(({name}) => name),
		['b', 'c'],
	);
	await store.put('d/a', new Uint8Array());
	await store.put('d/e', new Uint8Array());
	await store.delete('d/b');
	t.deepEqual(await readAll(stream), ['b', 'c', 'd', 'e']);
	stream.rewind();
	t.is(stream.allNames, undefined);
	t.deepEqual(await readAll(stream), ['a', 'c', 'd', 'e']);
});

test('going back further than the pages that are kept lists the directory again', async t => {
	const names = Array.from({length: 60}, (_, index) => `n${String(index).padStart(2, '0')}`);
	const {stream, listed} = await setUp(names.map(name => `d/${name}`));
	t.deepEqual(await readAll(stream), names);
	t.is(listed.filter(token => token === undefined).length, 1);
	t.is((await stream.entriesFrom(3))[0]?.name, 'n03');
	t.is(listed.filter(token => token === undefined).length, 2);
});

test('all names are remembered only where there are not too many', async t => {
	const {stream} = await setUp(
		Array.from({length: 10_001}, (_, index) => `d/${index}`),
		{pageCount: 1000},
	);
	t.is((await readAll(stream)).length, 10_001);
	t.is(stream.allNames, undefined);
});
