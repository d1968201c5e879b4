import test from 'ava';
import {AttributeWalk, type ListedName} from '../../src/filesystem/attribute-walk.ts';

const namesIn = (directory: string, count: number): ListedName[] =>
	Array.from({length: count}, (_, index) => ({
		path: `${directory}/${String(index).padStart(4, '0')}`,
		isDirectory: index % 10 === 0,
	}));

/** A walk through the names of `d`, which was listed; time passes when the test says so. */
const setUp = (count: number, {isOpen = false}: {isOpen?: boolean} = {}) => {
	const clock = {nowMs: 0};
	const walk = new AttributeWalk({ttlMs: 1000, now: () => clock.nowMs});
	const names = namesIn('d', count);
	if (isOpen) {
		walk.opened('d');
	}

	walk.listed('d', names, {isFirstPage: true});
	return {walk, names, clock};
};

test('a program that asks for one entry after the other is asked for once for each that follows', t => {
	const {walk, names} = setUp(300);
	t.deepEqual(walk.next(names[0]!.path, {isKnown: false}), [], 'The first one may be the only one');
	const ahead = names.slice(1).flatMap(({path}) => walk.next(path, {isKnown: path !== names[1]!.path}));
	t.deepEqual(ahead, names.slice(2), 'Each once, in order, none that was asked for already');
});

test('the first entry of an open directory begins a walk', t => {
	const {walk, names} = setUp(300, {isOpen: true});
	t.deepEqual(walk.next(names[0]!.path, {isKnown: false}), names.slice(1, 65));
	t.deepEqual(walk.next(names[1]!.path, {isKnown: true}), names.slice(65, 130), 'It goes on: further ahead');
});

test('the same entry again is no step', t => {
	const {walk, names} = setUp(300, {isOpen: true});
	walk.next(names[0]!.path, {isKnown: false});
	t.deepEqual(walk.next(names[0]!.path, {isKnown: true}), []);
	t.is(walk.next(names[1]!.path, {isKnown: true}).length, 65);
});

test('entries in another order, of other directories and of no listing are asked for alone', t => {
	const {walk, names} = setUp(300);
	t.deepEqual(
		[250, 100, 20].flatMap(position => walk.next(names[position]!.path, {isKnown: false})),
		[],
	);
	t.deepEqual(walk.next('e/0001', {isKnown: false}), []);
	t.deepEqual(walk.next('d/unknown', {isKnown: false}), []);
});

test('a new listing takes the place of the one before it, and a further page is a part of it', t => {
	const {walk, names} = setUp(300, {isOpen: true});
	walk.listed('d', names.slice(0, 2), {isFirstPage: true});
	t.is(walk.entry(names[2]!.path), undefined);
	walk.listed('d', names.slice(2, 4), {isFirstPage: false});
	t.deepEqual(walk.next(names[0]!.path, {isKnown: false}), names.slice(1, 4));
});

test('what a listing said stays good while the directory is open, and as long as a walk goes on', t => {
	const {walk, names, clock} = setUp(300, {isOpen: true});
	clock.nowMs = 100_000;
	t.deepEqual(walk.entry(names[0]!.path), {path: 'd/0000', isDirectory: true});
	walk.closed('d');
	walk.next(names[0]!.path, {isKnown: false});
	for (const {path} of names.slice(1, 10)) {
		clock.nowMs += 999;
		t.deepEqual(walk.entry(path), {path, isDirectory: false});
		walk.next(path, {isKnown: false});
	}

	clock.nowMs += 1000;
	t.is(walk.entry(names[10]!.path), undefined);
});

test('a directory is open until the last of those who opened it closes it', t => {
	const {walk, names, clock} = setUp(3, {isOpen: true});
	walk.opened('d');
	walk.closed('d');
	clock.nowMs = 100_000;
	t.not(walk.entry(names[0]!.path), undefined);
	walk.closed('d');
	clock.nowMs = 101_000;
	t.is(walk.entry(names[0]!.path), undefined);
});

test('a slow program is asked ahead for less, and each that was forgotten again', t => {
	const {walk, names} = setUp(300, {isOpen: true});
	walk.next(names[0]!.path, {isKnown: false});
	t.deepEqual(walk.next(names[1]!.path, {isKnown: false}), names.slice(2, 66), 'It was asked ahead for, and in vain');
	t.deepEqual(walk.next(names[2]!.path, {isKnown: false}), names.slice(3, 67));
	const {length} = [3, 4, 5, 6].flatMap(position => walk.next(names[position]!.path, {isKnown: false}));
	t.true(length <= 4 * 64);
});

test('what this node changed is not asked ahead for, and its kind is not known', t => {
	const {walk, names} = setUp(5, {isOpen: true});
	walk.forget(names[2]!.path);
	t.is(walk.entry(names[2]!.path), undefined);
	t.deepEqual(walk.next(names[0]!.path, {isKnown: false}), [names[1], names[3], names[4]]);
	walk.forgetTree('d');
	t.is(walk.entry(names[1]!.path), undefined);
});

test('the names that are kept have a bound', t => {
	const {walk, names} = setUp(60_000);
	walk.listed('e', namesIn('e', 60_000), {isFirstPage: true});
	t.is(walk.entry(names[1]!.path), undefined);
	t.not(walk.entry('e/0001'), undefined);
	walk.listed('e', [{path: 'e/x', isDirectory: false}], {isFirstPage: false});
	t.is(walk.entry('e/0001'), undefined);
	t.not(walk.entry('e/x'), undefined);
});
