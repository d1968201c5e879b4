import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import {NodeTable} from '../../../src/fuse/kernel/node-table.ts';
import {PathGate} from '../../../src/fuse/kernel/path-gate.ts';

const prepare = () => {
	const table = new NodeTable();
	const a = table.lookedUp(table.root, 'a', 'directory');
	const file = table.lookedUp(a, 'file', 'file');
	const other = table.lookedUp(table.root, 'other', 'directory');
	const gate = new PathGate(table);
	const events: string[] = [];
	/** A task that goes on when it is told to. */
	const task = (name: string) => {
		const {promise, resolve} = Promise.withResolvers<void>();
		return {
			end: resolve,
			run: async () => {
				events.push(`${name} begins`);
				await promise;
				events.push(`${name} ends`);
			},
		};
	};
	return {table, a, file, other, gate, events, task};
};

test('a move waits for what uses a path below, and what comes later waits for the move', async t => {
	const {a, file, other, table, gate, events, task} = prepare();
	const [read, move, late, elsewhere] = [task('read'), task('move'), task('late'), task('elsewhere')];
	const all = [
		gate.use([file], read.run),
		gate.change({used: [table.root, other], moved: [a]}, move.run),
		gate.use([file], late.run),
		gate.use([other], elsewhere.run),
	];
	elsewhere.end();
	await turn();
	t.deepEqual(events, ['read begins', 'elsewhere begins', 'elsewhere ends']);
	read.end();
	await turn();
	t.deepEqual(events.slice(3), ['read ends', 'move begins']);
	move.end();
	late.end();
	await Promise.all(all);
	t.deepEqual(events.slice(5), ['move ends', 'late begins', 'late ends']);
});

test('two moves of one name come one after the other, and neither waits for itself', async t => {
	const {a, table, gate, events, task} = prepare();
	const [first, second] = [task('first'), task('second')];
	const all = [
		gate.change({used: [table.root], moved: [a]}, first.run),
		gate.change({used: [table.root], moved: [a]}, second.run),
	];
	await turn();
	t.deepEqual(events, ['first begins']);
	first.end();
	second.end();
	await Promise.all(all);
	t.deepEqual(events.slice(1), ['first ends', 'second begins', 'second ends']);
});

test('the move of a directory waits for a move within it that waits itself', async t => {
	const {a, file, table, gate, events, task} = prepare();
	const [read, inner, outer] = [task('read'), task('inner'), task('outer')];
	const all = [
		gate.use([file], read.run),
		gate.change({used: [a], moved: [file]}, inner.run),
		gate.change({used: [table.root], moved: [a]}, outer.run),
	];
	await turn();
	for (const {end} of [read, inner, outer]) {
		end();
	}

	await Promise.all(all);
	t.deepEqual(
		events.filter(event => event.endsWith('begins')),
		['read begins', 'inner begins', 'outer begins'],
	);
});

test('a task that fails opens the gate', async t => {
	const {a, gate} = prepare();
	const fail = async (): Promise<never> => {
		throw new Error('expected');
	};
	await t.throwsAsync(gate.change({used: [], moved: [a]}, fail), {message: 'expected'});
	await t.throwsAsync(gate.use([a], fail), {message: 'expected'});
	t.is(await gate.change({used: [], moved: [a]}, async () => 'done'), 'done');
});
