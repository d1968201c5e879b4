import test from 'ava';
import {type KnownEntry, MetadataCache} from '../../src/cache/metadata-cache.ts';

const head = (key: string, etag = 'etag'): KnownEntry => ({
	state: 'object',
	head: {key, etag, sizeBytes: 1, lastModifiedMs: 0, metadata: {}},
});
const absent: KnownEntry = {state: 'absent'};

const setUp = (options: {ttlMs?: number; entryCountMax?: number} = {}) => {
	const clock = {nowMs: 0};
	return {clock, cache: new MetadataCache({ttlMs: 1000, now: () => clock.nowMs, ...options})};
};

const namesOf = (...names: readonly string[]) => new Map(names.map(name => [name, false]));

test('an answer is believed for as long as the time to live, and no longer', t => {
	const {cache, clock} = setUp();
	cache.record('a', head('a'), cache.beginRead());
	clock.nowMs = 999;
	t.deepEqual(cache.get('a'), head('a'));
	clock.nowMs = 1000;
	t.is(cache.get('a'), undefined);
});

for (const [title, change] of [
	[
		'the path was changed',
		(cache: MetadataCache) => {
			cache.change('d/a', absent);
		},
	],
	[
		'its tree was changed',
		(cache: MetadataCache) => {
			cache.changeTree('d');
		},
	],
] as const) {
	test(`an answer that was asked for before ${title} here is dropped`, t => {
		const {cache} = setUp();
		const token = cache.beginRead();
		change(cache);
		cache.record('d/a', head('d/a'), token);
		t.not(cache.get('d/a')?.state, 'object');
		cache.recordListing('d', namesOf('x'), {token, beganAtMs: 0});
		t.is(cache.get('d/other'), undefined, 'the listing is dropped too');
		cache.record('d/a', head('d/a', 'newer'), cache.beginRead());
		t.deepEqual(cache.get('d/a'), head('d/a', 'newer'), 'a later one is believed');
	});
}

test('an answer for another path than the one that was changed is believed', t => {
	const {cache} = setUp();
	const token = cache.beginRead();
	cache.change('d/a', absent);
	cache.record('d/b', head('d/b'), token);
	t.deepEqual(cache.get('d/b'), head('d/b'));
});

test('so many changes that they are not all remembered make every older answer count as outdated', t => {
	const {cache} = setUp();
	const token = cache.beginRead();
	for (let index = 0; index < 30_000; index++) {
		cache.change(`d/${index}`, undefined);
	}

	cache.record('d/0', head('d/0'), token);
	t.is(cache.get('d/0'), undefined);
});

test('a listing says of every other name that it is not there, also after a change here', t => {
	const {cache, clock} = setUp();
	cache.recordListing('d', namesOf('a'), {token: cache.beginRead(), beganAtMs: 0});
	t.deepEqual(cache.get('d/b'), absent);
	t.is(cache.get('d/a'), undefined, 'that it is there does not say what it is');
	t.is(cache.get('e/b'), undefined);
	cache.change('d/c', head('d/c'));
	t.deepEqual(cache.get('d/b'), absent);
	cache.change('d/c', undefined);
	t.is(cache.get('d/c'), undefined, 'what was made here has to be asked for');
	cache.change('d/c', absent);
	clock.nowMs = 999;
	t.deepEqual(cache.get('d/c'), absent);
	clock.nowMs = 1000;
	t.is(cache.get('d/c'), undefined);
	cache.change('d/a', undefined);
	t.is(cache.get('d/b'), undefined, 'a change makes no listing younger');
});

test('the names of a listing that is too old to be believed are still known', t => {
	const {cache, clock} = setUp();
	cache.recordListing('d', namesOf('a'), {token: cache.beginRead(), beganAtMs: 0});
	t.is(cache.outdatedNames('d'), undefined, 'it is believed');
	cache.change('d/e', {state: 'directory', marker: undefined});
	cache.change('d/a', absent);
	clock.nowMs = 1000;
	t.deepEqual(cache.outdatedNames('d'), new Map([['e', true]]));
	cache.forgetListing('d');
	t.is(cache.outdatedNames('d'), undefined);
});

test('a listing is as old as its beginning', t => {
	const {cache, clock} = setUp();
	const token = cache.beginRead();
	clock.nowMs = 900;
	cache.recordListing('d', namesOf('a'), {token, beganAtMs: 0});
	t.deepEqual(cache.get('d/b'), absent);
	clock.nowMs = 1000;
	t.is(cache.get('d/b'), undefined);
	cache.recordListing('d', namesOf('a'), {token, beganAtMs: 0});
	t.is(cache.get('d/b'), undefined, 'one that is read to its end late is not kept at all');
});

test('the cache has a bound, and the oldest entries go first', t => {
	const {cache} = setUp({entryCountMax: 100});
	for (let index = 0; index < 250; index++) {
		cache.record(`${index}`, head(`${index}`), cache.beginRead());
	}

	t.is(Array.from({length: 250}, (_, index) => index).filter(index => cache.get(`${index}`) !== undefined).length, 100);
	t.is(cache.get('149'), undefined);
	t.deepEqual(cache.get('150'), head('150'));
});

test('listings have a bound too', t => {
	const {cache} = setUp({entryCountMax: 100});
	for (let index = 0; index < 30; index++) {
		cache.recordListing(`d${index}`, namesOf('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'), {
			token: cache.beginRead(),
			beganAtMs: 0,
		});
	}

	t.is(
		Array.from({length: 30}, (_, index) => index).filter(index => cache.get(`d${index}/x`) !== undefined).length,
		10,
	);
	cache.recordListing('large', namesOf(...Array.from({length: 11}, (_, index) => `${index}`)), {
		token: cache.beginRead(),
		beganAtMs: 0,
	});
	t.is(cache.get('large/x'), undefined);
});

test('listings of empty directories have a bound as well', t => {
	const {cache} = setUp({entryCountMax: 10});
	for (let index = 0; index < 30; index++) {
		cache.recordListing(`d${index}`, namesOf(), {token: cache.beginRead(), beganAtMs: 0});
	}

	t.is(
		Array.from({length: 30}, (_, index) => index).filter(index => cache.get(`d${index}/x`) !== undefined).length,
		10,
	);
});

test('changeTree() also forgets the directory itself, and not what was listed beside it', t => {
	const {cache} = setUp();
	const token = cache.beginRead();
	cache.record('p/d', head('p/d'), token);
	cache.recordListing('p', namesOf('d'), {token, beganAtMs: 0});
	cache.changeTree('p/d');
	t.is(cache.get('p/d'), undefined);
	t.deepEqual(cache.get('p/other'), absent);
	cache.record('p/d', head('p/d'), token);
	t.is(cache.get('p/d'), undefined);
});
