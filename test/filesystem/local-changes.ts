import test from 'ava';
import {MetadataCache} from '../../src/cache/metadata-cache.ts';
import {KernelPages} from '../../src/filesystem/kernel-pages.ts';
import {KnownMarkers} from '../../src/filesystem/known-markers.ts';
import {LocalChanges} from '../../src/filesystem/local-changes.ts';
import {Namespace} from '../../src/filesystem/namespace.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import type {ObjectHead} from '../../src/store/object-store.ts';

/** The tables of one node over a store in memory, on a clock that stands still. */
const setUp = () => {
	const bucket = createMemoryObjectStore();
	const store = createFaultyObjectStore(bucket);
	const now = () => 0;
	const cache = new MetadataCache({ttlMs: 1000, now});
	const markers = new KnownMarkers({now});
	const defaults = {uid: 0, gid: 0, fileMode: 0o644, dirMode: 0o755, attributes: 'posix'} as const;
	const namespace = new Namespace({store, cache, markers, defaults});
	const kernelPages = new KernelPages();
	const changes = new LocalChanges({cache, namespace, markers, kernelPages});
	return {bucket, store, cache, markers, namespace, kernelPages, changes};
};

const headOf = (key: string, etag = 'etag'): ObjectHead => ({key, etag, sizeBytes: 1, lastModifiedMs: 0, metadata: {}});

/** Whether a look-up that began before the change is shared by one that comes after it. */
const isLookupShared = async (
	{store, namespace, cache}: ReturnType<typeof setUp>,
	path: string,
	change: () => void,
): Promise<boolean> => {
	const fault = store.inject({method: 'head', key: path, isBlocked: true});
	const before = namespace.lookup(path);
	await fault.reached;
	change();
	cache.forget(path); // Whatever the change made known: the look-up has to ask.
	const {length} = store.calls;
	const after = namespace.lookup(path);
	const isShared = store.calls.length === length;
	fault.remove();
	await Promise.all([before, after]);
	return isShared;
};

test('created() makes the entry known, and a directory with its marker', t => {
	const {cache, markers, changes} = setUp();
	changes.created('a', {state: 'object', head: headOf('a')});
	t.deepEqual(cache.get('a'), {state: 'object', head: headOf('a')});
	t.false(markers.has('a'));
	changes.created('d', {state: 'directory', marker: headOf('d/')});
	t.true(markers.has('d'));
	changes.created('b', undefined);
	t.is(cache.get('b'), undefined, 'S3 does not have it yet');
});

test('removed() makes the absence known and forgets the pages', t => {
	const {cache, kernelPages, changes} = setUp();
	changes.uploaded('a', headOf('a'), {isAsWritten: true});
	changes.removed('a');
	t.deepEqual(cache.get('a'), {state: 'absent'});
	t.false(kernelPages.has('a', 'etag'));
});

test('directoryRemoved() forgets the marker and all that was known below', t => {
	const {cache, markers, changes} = setUp();
	changes.created('d', {state: 'directory', marker: headOf('d/')});
	cache.record('d/a', {state: 'absent'}, cache.beginRead());
	changes.directoryRemoved('d');
	t.false(markers.has('d'));
	t.is(cache.get('d'), undefined, 'an object of that name may show now');
	t.is(cache.get('d/a'), undefined);
});

test('moved() takes the pages along', t => {
	const {cache, kernelPages, changes} = setUp();
	changes.uploaded('a', headOf('a', '1'), {isAsWritten: true});
	changes.moved('a', {head: headOf('b', '2'), sourceEtag: '1'});
	t.deepEqual(cache.get('a'), {state: 'absent'});
	t.deepEqual(cache.get('b'), {state: 'object', head: headOf('b', '2')});
	t.true(kernelPages.has('b', '2'));
});

for (const hasFailed of [false, true]) {
	test(`a tree of which the move ${hasFailed ? 'failed' : 'is done'} is not known any more, under both names`, t => {
		const {cache, markers, kernelPages, changes} = setUp();
		changes.created('from', {state: 'directory', marker: headOf('from/')});
		for (const path of ['from/a', 'to/a', 'beside/a']) {
			changes.uploaded(path, headOf(path), {isAsWritten: true});
		}

		if (hasFailed) {
			changes.treeMayHaveMoved('from', 'to');
		} else {
			changes.treeMoved('from', 'to');
		}

		t.deepEqual(
			['from', 'from/a', 'to', 'to/a'].filter(path => cache.get(path) !== undefined),
			[],
		);
		t.is(cache.get('beside/a')?.state, 'object');
		t.deepEqual(
			['from/a', 'to/a', 'beside/a'].filter(path => kernelPages.has(path, 'etag')),
			['beside/a'],
		);
		t.false(markers.has('from'));
	});
}

test('replaced() keeps the pages of a version whose bytes are the same', t => {
	const {cache, kernelPages, markers, changes} = setUp();
	changes.uploaded('a', headOf('a', '1'), {isAsWritten: true});
	changes.replaced('a', {state: 'object', head: headOf('a', '2')}, headOf('a', '1'));
	t.deepEqual(cache.get('a'), {state: 'object', head: headOf('a', '2')});
	t.true(kernelPages.has('a', '2'));
	changes.replaced('d', {state: 'directory', marker: headOf('d/')});
	t.true(markers.has('d'));
});

test('uploaded() keeps the pages only when the version has the bytes that the kernel wrote', t => {
	const {cache, kernelPages, changes} = setUp();
	changes.uploaded('a', headOf('a', '1'), {isAsWritten: true});
	t.true(kernelPages.has('a', '1'));
	changes.uploaded('a', headOf('a', '2'), {isAsWritten: false});
	t.deepEqual(cache.get('a'), {state: 'object', head: headOf('a', '2')});
	t.false(kernelPages.has('a', '1'), 'the bytes that the kernel has are of no version');
});

test('mayHaveChanged() and markerMade() make the path be asked for again', t => {
	const {cache, markers, changes} = setUp();
	for (const path of ['a', 'd']) {
		cache.record(path, {state: 'absent'}, cache.beginRead());
	}

	changes.mayHaveChanged('a');
	changes.markerMade('d');
	t.is(cache.get('a'), undefined);
	t.is(cache.get('d'), undefined);
	t.true(markers.has('d'));
});

const tellings: Readonly<Record<string, (changes: LocalChanges) => void>> = {
	created(changes) {
		changes.created('d/a', {state: 'object', head: headOf('d/a')});
	},
	removed(changes) {
		changes.removed('d/a');
	},
	directoryRemoved(changes) {
		changes.directoryRemoved('d');
	},
	'moved away'(changes) {
		changes.moved('d/a', {head: headOf('b'), sourceEtag: 'etag'});
	},
	'moved there'(changes) {
		changes.moved('b', {head: headOf('d/a'), sourceEtag: 'etag'});
	},
	treeMoved(changes) {
		changes.treeMoved('d', 'e');
	},
	treeMayHaveMoved(changes) {
		changes.treeMayHaveMoved('e', 'd');
	},
	replaced(changes) {
		changes.replaced('d/a', {state: 'object', head: headOf('d/a')}, headOf('d/a', 'before'));
	},
	uploaded(changes) {
		changes.uploaded('d/a', headOf('d/a'), {isAsWritten: true});
	},
	mayHaveChanged(changes) {
		changes.mayHaveChanged('d/a');
	},
};

for (const [name, tell] of Object.entries(tellings)) {
	test(`a look-up that was sent before a path was ${name} is neither shared nor believed`, async t => {
		const tables = setUp();
		await tables.bucket.put('d/a', new Uint8Array());
		t.false(
			await isLookupShared(tables, 'd/a', () => {
				tell(tables.changes);
			}),
		);
		const late = setUp();
		await late.bucket.put('d/a', new Uint8Array());
		const fault = late.store.inject({method: 'head', key: 'd/a', isBlocked: true, when: 'after'});
		const lookup = late.namespace.lookup('d/a');
		await fault.reached;
		const {etag} = await late.bucket.put('d/a', Buffer.from('newest'));
		tell(late.changes);
		const known = late.cache.get('d/a');
		fault.remove();
		await lookup;
		t.like(late.cache.get('d/a'), known ?? {state: 'object', head: {etag}});
	});
}

test('a look-up of another path is shared on: what a walk sent ahead stays of use', async t => {
	const tables = setUp();
	t.true(
		await isLookupShared(tables, 'd/other', () => {
			tables.changes.created('d/a', undefined);
			tables.changes.uploaded('d/a', headOf('d/a'), {isAsWritten: true});
		}),
	);
});
