import test from 'ava';
import {FreePlaces} from '../../src/upload/free-places.ts';

test('a place is given once, neighbours are one place, and the rest of a place stays free', t => {
	const free = new FreePlaces();
	t.is(free.take(1), undefined);
	free.give({position: 10, bytes: 5});
	free.give({position: 20, bytes: 5});
	t.is(free.take(6), undefined);
	free.give({position: 15, bytes: 5});
	t.is(free.take(12), 10);
	t.is(free.take(4), undefined);
	t.is(free.take(3), 22);
	t.is(free.take(1), undefined);
});

test('what is free before the end of the file makes it shorter', t => {
	const free = new FreePlaces();
	free.give({position: 10, bytes: 5});
	t.is(free.trim(20), 20);
	free.give({position: 15, bytes: 5});
	t.is(free.trim(20), 10);
	t.is(free.take(1), undefined);
});
