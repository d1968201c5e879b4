import test from 'ava';
import {AttributeWalk} from '../../src/filesystem/attribute-walk.ts';

const keysOf = (directory: string, count: number): string[] =>
	Array.from({length: count}, (_, index) => `${directory}/${String(index).padStart(4, '0')}`);

test('a program that asks for one entry after the other is asked for once for each that follows', t => {
	const walk = new AttributeWalk();
	const keys = keysOf('d', 300);
	walk.listed('d', keys);
	t.deepEqual(walk.next(keys[0]!), [], 'The first one may be the only one');
	const ahead = keys.slice(1).flatMap(key => walk.next(key));
	t.deepEqual(ahead, keys.slice(2), 'Each once, in order, none that was asked for already');
});

test('entries in another order, of other directories and of no listing are asked for alone', t => {
	const walk = new AttributeWalk();
	const keys = keysOf('d', 300);
	walk.listed('d', keys);
	t.deepEqual(
		[250, 100, 20].flatMap(position => walk.next(keys[position]!)),
		[],
	);
	t.deepEqual(walk.next('e/0001'), []);
	t.deepEqual(walk.next('d/unknown'), []);
});

test('a listing of one entry takes the place of the one before it', t => {
	const walk = new AttributeWalk();
	const keys = keysOf('d', 300);
	walk.listed('d', keys);
	walk.listed('d', keys.slice(0, 1));
	t.deepEqual(
		keys.flatMap(key => walk.next(key)),
		[],
	);
});
