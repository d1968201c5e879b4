import test from 'ava';
import {type PathLock, PathLocks} from '../../src/filesystem/path-locks.ts';

/** A task that holds its locks until it is told to end; `order` gets its name when it begins. */
const createHolders = () => {
	const locks = new PathLocks();
	const order: string[] = [];
	const hold = (name: string, ...held: readonly PathLock[]) => {
		const end = Promise.withResolvers<void>();
		const done = locks.run(held, async () => {
			order.push(name);
			await end.promise;
			return name;
		});
		return {
			async end() {
				end.resolve();
				await done;
			},
		};
	};

	return {locks, order, hold};
};

/** Lets everything run that waits for nothing but promises that are settled. */
const settled = async (): Promise<void> =>
	new Promise(resolve => {
		setImmediate(resolve);
	});

test('run() returns what the task does, and frees the locks also when it fails', async t => {
	const locks = new PathLocks();
	t.is(await locks.run([{path: 'a'}], async () => 1), 1);
	await t.throwsAsync(
		locks.run([{path: 'a'}], async () => {
			throw new Error('failed');
		}),
		{message: 'failed'},
	);
	t.is(await locks.run([{path: 'a'}], async () => 2), 2);
});

test('one name is held once, others at the same time', async t => {
	const {order, hold} = createHolders();
	const first = hold('first', {path: 'd/a'});
	const second = hold('second', {path: 'd/a'});
	const other = hold('other', {path: 'd/b'});
	const parent = hold('parent', {path: 'd'});
	await settled();
	t.deepEqual(order, ['first', 'other', 'parent'], 'a name is not held by its directory');
	await first.end();
	await settled();
	t.deepEqual(order, ['first', 'other', 'parent', 'second']);
	await Promise.all([second.end(), other.end(), parent.end()]);
});

test('the lock of a tree holds every name below it, and waits for them', async t => {
	const {order, hold} = createHolders();
	const below = hold('below', {path: 'd/e/a'});
	const tree = hold('tree', {path: 'd', isTree: true});
	const later = hold('later', {path: 'd/b'});
	const beside = hold('beside', {path: 'dd'});
	await settled();
	t.deepEqual(order, ['below', 'beside']);
	await below.end();
	await settled();
	t.deepEqual(order, ['below', 'beside', 'tree']);
	await tree.end();
	await settled();
	t.deepEqual(order, ['below', 'beside', 'tree', 'later']);
	await Promise.all([later.end(), beside.end()]);
});

test('two operations that want the same names in opposite order do not wait for each other', async t => {
	const {order, hold} = createHolders();
	const there = hold('there', {path: 'a', isTree: true}, {path: 'b', isTree: true});
	const back = hold('back', {path: 'b', isTree: true}, {path: 'a', isTree: true});
	await settled();
	t.deepEqual(order, ['there']);
	await there.end();
	await back.end();
	t.deepEqual(order, ['there', 'back']);
});

test('one that waits is not overtaken by a later one that it conflicts with', async t => {
	const {order, hold} = createHolders();
	const a = hold('a', {path: 'a'});
	const both = hold('both', {path: 'a'}, {path: 'b'});
	const b = hold('b', {path: 'b'});
	const c = hold('c', {path: 'c'});
	await settled();
	t.deepEqual(order, ['a', 'c'], 'b is free, but was asked for earlier by one that waits for a');
	await a.end();
	await settled();
	t.deepEqual(order, ['a', 'c', 'both']);
	await both.end();
	await Promise.all([b.end(), c.end()]);
	t.deepEqual(order, ['a', 'c', 'both', 'b']);
});
