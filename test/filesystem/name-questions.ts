import test from 'ava';
import {MetadataCache} from '../../src/cache/metadata-cache.ts';
import {NameQuestions} from '../../src/filesystem/name-questions.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';

/** Questions to a store in memory with these keys; time passes when the test says so. */
const setUp = async (keys: readonly string[], {attributes = 'posix'}: {attributes?: 'posix' | 'uniform'} = {}) => {
	const bucket = createMemoryObjectStore();
	for (const key of keys) {
		await bucket.put(key, new Uint8Array());
	}

	const store = createFaultyObjectStore(bucket);
	const clock = {nowMs: 0};
	const cache = new MetadataCache({ttlMs: 1000, now: () => clock.nowMs});
	const defaults = {uid: 1, gid: 2, fileMode: 0o644, dirMode: 0o755, attributes};
	const questions = new NameQuestions({store, cache, defaults});
	return {
		bucket,
		cache,
		clock,
		questions,
		/** The requests since it was called last. */
		requests() {
			const calls = store.calls.map(({method, key}) => `${method} ${key}`);
			store.calls.length = 0;
			return calls.sort();
		},
	};
};

test('a path of which nothing is known is asked for in one step, and makes known what lies below', async t => {
	const {questions, cache, requests} = await setUp(['d/', 'd/e/', 'd/e/f', 'd/g/h', 'file']);
	t.like(await questions.ask('d'), {state: 'directory', marker: {key: 'd/'}});
	t.deepEqual(requests(), ['head d', 'head d/', 'list d/']);
	t.like(cache.get('d/e'), {state: 'directory', marker: 'unknown'});
	t.like(cache.get('d/e/f'), {state: 'listed'});
	t.deepEqual(cache.get('d/g'), {state: 'directory', marker: undefined}, 'it has no marker');
	t.deepEqual(cache.get('d/none'), {state: 'absent'});
	t.deepEqual(cache.get('d/e/none'), {state: 'absent'});
	t.like(await questions.ask('file'), {state: 'object'});
	t.deepEqual(await questions.ask('none'), {state: 'absent'});
});

test('of a large directory, only the beginning becomes known', async t => {
	const names = Array.from({length: 150}, (_, index) => `d/${String(index).padStart(3, '0')}`);
	const {questions, cache} = await setUp(names);
	await questions.ask('d');
	t.like(cache.get('d/000'), {state: 'listed'});
	t.is(cache.get('d/149'), undefined);
	t.is(cache.get('d/none'), undefined);
});

test('a small directory whose listing is too old is listed again, once for all of its names', async t => {
	const {questions, cache, clock, requests, bucket} = await setUp(['d/', 'd/a', 'd/b', 'd/e/', 'd/gone']);
	await questions.ask('d');
	requests();
	clock.nowMs = 1000;
	await bucket.put('d/new', new Uint8Array());
	await bucket.delete('d/gone');
	t.deepEqual(await questions.ask('d/none'), {state: 'absent'});
	t.deepEqual(requests(), ['list d/']);
	t.like(cache.get('d/new'), {state: 'listed'});
	t.deepEqual(cache.get('d/gone'), {state: 'absent'});
	clock.nowMs = 2000;
	t.like(await questions.ask('d/a'), {state: 'object', head: {key: 'd/a'}});
	t.deepEqual(requests(), ['head d/a', 'list d/']);
	clock.nowMs = 3000;
	t.like(await questions.ask('d/e'), {state: 'directory', marker: {key: 'd/e/'}});
	t.deepEqual(requests(), ['head d/e/', 'list d/']);
	clock.nowMs = 4000;
	await bucket.put('d/newer', new Uint8Array());
	await bucket.put('d/a/now-a-directory', new Uint8Array());
	t.like(await questions.ask('d/newer'), {state: 'object'});
	t.deepEqual(requests(), ['head d/newer', 'list d/']);
	clock.nowMs = 5000;
	t.deepEqual(await questions.ask('d/a'), {state: 'directory', marker: undefined});
});

test('a directory that is not small is listed again when several of its names are asked for', async t => {
	const names = Array.from({length: 500}, (_, index) => `d/${String(index).padStart(3, '0')}`);
	const {questions, cache, clock, requests} = await setUp(names);
	const known = new Map(names.map(name => [name.slice(2), false]));
	cache.recordListing('d', known, {token: cache.beginRead(), beganAtMs: 0});
	clock.nowMs = 1000;
	await questions.ask('d/none');
	t.deepEqual(requests(), ['head d/none', 'head d/none/', 'list d/none/']);
	await questions.ask('d/none-2');
	t.deepEqual(requests(), ['list d/']);
});

test('one that has more names than a page by now is not listed again', async t => {
	const names = Array.from({length: 1001}, (_, index) => `d/${String(index).padStart(4, '0')}`);
	const {questions, cache, clock, requests} = await setUp(names);
	cache.recordListing('d', new Map([['0000', false]]), {token: cache.beginRead(), beganAtMs: 0});
	clock.nowMs = 1000;
	t.like(await questions.ask('d/1000'), {state: 'object'});
	t.deepEqual(requests(), ['head d/1000', 'head d/1000/', 'list d/', 'list d/1000/']);
	await questions.ask('d/0999');
	t.deepEqual(requests(), ['head d/0999', 'head d/0999/', 'list d/0999/']);
});

test('where all attributes are the same, a listing is enough', async t => {
	const {questions, cache, clock, requests} = await setUp(['d/a', 'd/e/x'], {attributes: 'uniform'});
	await questions.ask('d');
	requests();
	clock.nowMs = 1000;
	t.like(await questions.ask('d/a'), {state: 'listed'});
	t.deepEqual(requests(), ['list d/']);
	t.like(cache.get('d/e'), {state: 'directory'});
});

test('what was absent a moment ago is asked for without a marker', async t => {
	const {questions, requests} = await setUp(['file', 'd/x']);
	t.deepEqual(await questions.askOfAbsent('none'), {state: 'absent'});
	t.deepEqual(requests(), ['head none', 'list none/']);
	t.like(await questions.askOfAbsent('file'), {state: 'object'});
	t.deepEqual(await questions.askOfAbsent('d'), {state: 'directory', marker: undefined});
});
