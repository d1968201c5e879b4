import test from 'ava';
import {BoundedMap} from '../../src/model/bounded-map.ts';

test('set() drops the oldest entry above the bound and returns it', t => {
	const map = new BoundedMap<string, number>({countMax: 2});
	t.deepEqual(map.set('a', 1), []);
	t.deepEqual(map.set('b', 2), []);
	t.deepEqual(map.set('c', 3), [['a', 1]]);
	t.deepEqual([...map.keys()], ['b', 'c']);
	t.false(map.has('a'));
	t.is(map.get('a'), undefined);
	t.is(map.get('c'), 3);
});

test('an entry that is set again is the newest and counts once', t => {
	const map = new BoundedMap<string, number>({countMax: 2});
	map.set('a', 1);
	map.set('b', 2);
	t.deepEqual(map.set('a', 3), []);
	t.deepEqual(map.set('c', 4), [['b', 2]]);
	t.is(map.get('a'), 3);
});

test('delete() makes room', t => {
	const map = new BoundedMap<string, number>({countMax: 2});
	map.set('a', 1);
	map.set('b', 2);
	t.true(map.delete('a'));
	t.false(map.delete('a'));
	t.deepEqual(map.set('c', 3), []);
	t.deepEqual([...map.keys()], ['b', 'c']);
});

test('entries may count more than one: as many go as are needed', t => {
	const map = new BoundedMap<string, string>({countMax: 5, countOf: value => value.length});
	map.set('a', '11');
	map.set('b', '22');
	t.deepEqual(map.set('b', '2'), [], 'what an entry counted before is given back');
	t.deepEqual(map.set('c', '3333'), [['a', '11']]);
	t.deepEqual(map.set('d', '555555'), [
		['b', '2'],
		['c', '3333'],
		['d', '555555'],
	]);
	t.deepEqual([...map.keys()], []);
});

test('delete() during a walk over the keys is allowed', t => {
	const map = new BoundedMap<number, number>({countMax: 10});
	for (let key = 0; key < 6; key++) {
		map.set(key, key);
	}

	for (const key of map.keys()) {
		if (key % 2 === 0) {
			map.delete(key);
		}
	}

	t.deepEqual([...map.keys()], [1, 3, 5]);
});
