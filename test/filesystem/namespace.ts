import test from 'ava';
import {MetadataCache} from '../../src/cache/metadata-cache.ts';
import {KnownMarkers} from '../../src/filesystem/known-markers.ts';
import {Namespace} from '../../src/filesystem/namespace.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {errnoOf} from '../support/fs-under-test.ts';

/** Names over a store in memory with these keys; time passes when the test says so. */
const setUp = async (keys: readonly string[], {attributes = 'posix'}: {attributes?: 'posix' | 'uniform'} = {}) => {
	const bucket = createMemoryObjectStore();
	for (const key of keys) {
		await bucket.put(key, Buffer.from(key), {metadata: {'file-permissions': '0600'}});
	}

	const store = createFaultyObjectStore(bucket);
	const clock = {nowMs: 0};
	const now = () => clock.nowMs;
	const cache = new MetadataCache({ttlMs: 1000, now});
	const markers = new KnownMarkers({now});
	const defaults = {uid: 1, gid: 2, fileMode: 0o644, dirMode: 0o755, attributes};
	return {bucket, store, cache, markers, clock, namespace: new Namespace({store, cache, markers, defaults})};
};

test('the root is a directory, and S3 is not asked', async t => {
	const {namespace, store} = await setUp([]);
	t.like(await namespace.lookup(''), {kind: 'directory', path: ''});
	const {attributes} = await namespace.require('');
	namespace.setRootAttributes({...attributes, permissions: 0o700});
	t.is((await namespace.require('')).attributes.permissions, 0o700);
	t.is(store.callCount(), 0);
});

test('a path is the object of its key, a directory with or without a marker, or nothing', async t => {
	const {namespace} = await setUp(['file', 'marked/', 'implied/below', 'both', 'both/below']);
	t.like(await namespace.lookup('file'), {kind: 'object', path: 'file'});
	t.like(await namespace.lookup('marked'), {kind: 'directory', marker: {key: 'marked/'}});
	t.like(await namespace.lookup('implied'), {kind: 'directory', marker: undefined});
	t.like(await namespace.lookup('both'), {kind: 'directory'});
	t.is(await namespace.lookup('nothing'), undefined);
	t.is(await namespace.lookup('fil'), undefined);
});

test('require() and requireParent() say in the words of POSIX what is wrong', async t => {
	const {namespace} = await setUp(['file', 'd/a']);
	t.is(await errnoOf(namespace.require('nothing')), 'ENOENT');
	t.is(await errnoOf(namespace.requireParent('nothing/a')), 'ENOENT');
	t.is(await errnoOf(namespace.requireParent('file/a')), 'ENOTDIR');
	t.is((await namespace.requireParent('d/new')).kind, 'directory');
	t.is((await namespace.requireParent('new')).kind, 'directory');
});

test('an answer is good for the time to live, and then asked for again', async t => {
	const {namespace, store, bucket, clock} = await setUp(['a']);
	await namespace.lookup('a');
	await namespace.lookup('b');
	const count = store.callCount();
	await bucket.put('b', new Uint8Array());
	t.like(await namespace.lookup('a'), {kind: 'object'});
	t.is(await namespace.lookup('b'), undefined);
	t.is(store.callCount(), count);
	t.like(await namespace.lookup('b', {doubtsAbsence: true}), {kind: 'object'});
	clock.nowMs = 1000;
	await bucket.delete('a');
	t.is(await namespace.lookup('a'), undefined);
});

test('equal look-ups at the same time are one', async t => {
	const {namespace, store} = await setUp(['a']);
	const results = await Promise.all([namespace.lookup('a'), namespace.lookup('a'), namespace.lookup('a')]);
	t.true(results.every(entry => entry?.kind === 'object'));
	t.is(store.callCount('head'), 2, 'the object and the marker');
});

test('a look-up that fails is not kept: the next one asks', async t => {
	const {namespace, store} = await setUp(['a']);
	store.inject({method: 'head', error: 'unavailable', countMax: 1});
	await t.throwsAsync(namespace.lookup('a'), {code: 'unavailable'});
	t.like(await namespace.lookup('a'), {kind: 'object'});
});

test('list() makes names known, but not the attributes of files', async t => {
	const {namespace, store} = await setUp(['d/', 'd/a', 'd/e/x', 'd//odd']);
	await namespace.list('d', undefined);
	store.calls.length = 0;
	t.is((await namespace.require('d/a')).attributes.permissions, 0o600);
	t.deepEqual(
		store.calls.map(({method, key}) => [method, key]),
		[['head', 'd/a']],
		'it is known that d/a is not a directory',
	);
	t.like(await namespace.lookup('d/e'), {kind: 'directory', marker: undefined});
	t.is(store.callCount('list'), 0, 'nor has it to be found out that d/e is one');
});

test('in a uniform volume a listing answers look-ups', async t => {
	const {namespace, store} = await setUp(['d/a', 'd/e/x'], {attributes: 'uniform'});
	await namespace.list('d', undefined);
	const count = store.callCount();
	t.is((await namespace.require('d/a')).attributes.permissions, 0o644);
	t.like(await namespace.lookup('d/e'), {kind: 'directory'});
	t.is(store.callCount(), count);
});

test('a walk through a listing has its look-ups sent ahead', async t => {
	const names = Array.from({length: 20}, (_, index) => `d/${String(index).padStart(2, '0')}`);
	const {namespace, store} = await setUp(names);
	namespace.opened('d');
	await namespace.list('d', undefined);
	namespace.closed('d');
	await namespace.lookup(names[0]!);
	t.is(store.callCount('head'), 1, 'the first may be the only one');
	await namespace.lookup(names[1]!);
	t.is(store.callCount('head'), names.length);
	for (const name of names) {
		t.is((await namespace.require(name)).attributes.permissions, 0o600);
	}

	t.is(store.callCount('head'), names.length);
});

test('a walk through an open directory that takes much longer than answers are good asks once for each name', async t => {
	for (const [msPerStep, isOpen] of [
		[5, true],
		[30, true],
		[5, false],
	] as const) {
		const names = Array.from({length: 300}, (_, index) => `d/${String(index).padStart(3, '0')}`);
		const {namespace, store, clock} = await setUp([...names, 'd/dir/']);
		namespace.opened('d');
		await namespace.list('d', undefined);
		if (!isOpen) {
			namespace.closed('d');
		}

		store.calls.length = 0;
		for (const name of [...names, 'd/dir']) {
			t.not(await namespace.lookup(name), undefined);
			clock.nowMs += msPerStep;
		}

		const asked = store.calls.filter(({method}) => method === 'head').map(({key}) => key);
		t.is(new Set(asked).size, 301, 'each name');
		// A program that turns out to be slow has had some asked for too early.
		t.true(asked.length <= 301 + (msPerStep === 30 ? 100 : 0), `${asked.length} requests at ${msPerStep} ms a step`);
		t.is(store.callCount('list'), 0);
	}
});

test('lookupObject() asks S3 whatever is known', async t => {
	const {namespace, bucket} = await setUp(['a']);
	await namespace.lookup('a');
	const {etag} = await bucket.put('a', Buffer.from('newer'));
	t.like(await namespace.lookupObject('a'), {head: {etag}});
	t.like(await namespace.lookup('a'), {head: {etag}});
	await bucket.delete('a');
	t.is(await namespace.lookupObject('a'), undefined);
	t.is(await namespace.lookup('a'), undefined);
});

test('isEmpty() counts everything but the marker, also keys that are not names', async t => {
	const {namespace} = await setUp(['empty/', 'odd/', 'odd//x', 'full/a']);
	t.true(await namespace.isEmpty('empty'));
	t.true(await namespace.isEmpty('nothing'));
	t.false(await namespace.isEmpty('odd'));
	t.false(await namespace.isEmpty('full'));
});

test('listTree() has every object below, over all pages, the marker first', async t => {
	const keys = ['d/', ...Array.from({length: 1001}, (_, index) => `d/${String(index).padStart(4, '0')}`), 'd/x/y'];
	const {namespace} = await setUp([...keys, 'da', 'd!']);
	const listed: string[] = [];
	for await (const page of namespace.listTree('d')) {
		listed.push(...page.map(({key}) => key));
	}

	t.deepEqual(listed, keys);
});

test('a marker that a look-up found is trusted for half a minute', async t => {
	const {namespace, markers, clock} = await setUp(['d/', 'implied/a']);
	await namespace.lookup('d');
	await namespace.lookup('implied');
	t.true(markers.has('d'));
	t.false(markers.has('implied'));
	clock.nowMs = 30_000;
	t.false(markers.has('d'));
});

test('an answer of before a change of this node is not used: the change is the answer', async t => {
	const {namespace, cache, store} = await setUp(['a']);
	for (const look of [async () => namespace.lookup('a'), async () => namespace.lookupObject('a')]) {
		cache.forget('a');
		const fault = store.inject({method: 'head', key: 'a', isBlocked: true, when: 'after'});
		const looking = look();
		await fault.reached;
		const head = {key: 'a', etag: 'of this node', sizeBytes: 9, lastModifiedMs: 0, metadata: {}};
		cache.change('a', {state: 'object', head});
		fault.remove();
		t.like(await looking, {head: {etag: 'of this node'}});
		t.like(cache.get('a'), {head: {etag: 'of this node'}});
	}
});

test('where only S3 can tell what this node made, an answer of before it is asked for again', async t => {
	const {namespace, cache, store, bucket} = await setUp(['d/a', 'd/x']);
	for (const change of [() => cache.change('d/a', undefined), () => cache.changeTree('d')]) {
		await bucket.put('d/a', Buffer.from('old'));
		cache.forget('d/a');
		const fault = store.inject({method: 'head', key: 'd/a', isBlocked: true, when: 'after', countMax: 1});
		const looking = namespace.lookup('d/a');
		await fault.reached;
		await bucket.put('d/a', Buffer.from('newer'));
		change();
		fault.remove();
		t.like(await looking, {head: {sizeBytes: 5}});
	}
});

test('a change elsewhere makes no answer outdated: a node that removes directories can look names up meanwhile', async t => {
	const {namespace, cache, store} = await setUp(['a', 'd/x']);
	const fault = store.inject({method: 'head', key: 'a', isBlocked: true, when: 'after'});
	const looking = namespace.lookup('a');
	await fault.reached;
	cache.changeTree('d');
	fault.remove();
	t.like(await looking, {kind: 'object'});
	t.is(store.callCount('head'), 2, 'the object and the marker, once');
});
