import test from 'ava';
import {type KernelNode, NodeTable} from '../../../src/fuse/kernel/node-table.ts';

const look = (table: NodeTable, parent: KernelNode, ...names: string[]): KernelNode =>
	names.reduce(
		(node, name, index) => table.lookedUp(node, name, index + 1 < names.length ? 'directory' : 'file'),
		parent,
	);

test('a name keeps its node and its inode number for as long as the kernel knows it', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'a', 'b', 'file');
	t.is(table.pathOf(file), 'a/b/file');
	t.is(look(table, table.root, 'a', 'b', 'file'), file);
	t.is(file.lookupCount, 2);
	table.forget(file.id, 1);
	t.is(table.get(file.id), file);
	table.forget(file.id, 1);
	t.is(table.get(file.id), undefined);
	const again = look(table, table.root, 'a', 'b', 'file');
	t.not(again.id, file.id);
	t.is(again.ino, file.ino, 'Programs see the number again');
});

test('a directory stays reachable for what lies in it, although the kernel forgot it earlier', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'a', 'file');
	const directory = table.child(table.root, 'a')!; // Looked up just now.
	table.forget(directory.id, 1);
	t.is(table.pathOf(file), 'a/file');
	t.is(table.lookedUp(table.root, 'a', 'directory'), directory);
	table.forget(directory.id, 1);
	table.forget(file.id, 1);
	t.is(table.count, 1);
});

test('the root is never forgotten', t => {
	const table = new NodeTable();
	table.forget(1, 2 ** 40);
	t.is(table.get(1), table.root);
	t.is(table.pathOf(table.root), '');
});

test('what moves takes along what lies in it, and what it replaces loses its name', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'a', 'b', 'file');
	const replaced = look(table, table.root, 'c', 'd');
	table.move({parent: table.child(table.root, 'a')!, name: 'b'}, {parent: table.child(table.root, 'c')!, name: 'd'});
	t.is(table.pathOf(file), 'c/d/file');
	t.is(table.pathOf(replaced), undefined);
	t.is(table.get(replaced.id), replaced, 'The kernel still knows it');
	t.is(table.child(table.child(table.root, 'a')!, 'b'), undefined);
});

test('a move to the same name, or of what the kernel does not know, changes nothing else', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'file');
	const place = {parent: table.root, name: 'file'};
	table.move(place, place);
	t.is(table.pathOf(file), 'file');
	table.move({parent: table.root, name: 'unknown'}, place);
	t.is(table.pathOf(file), undefined, 'What is there now is something else');
});

test('another kind, or a new file of the name, is another node with another inode number', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'name');
	const directory = table.lookedUp(table.root, 'name', 'directory');
	t.not(directory, file);
	t.not(directory.ino, file.ino);
	t.is(table.pathOf(file), undefined);
	table.detach(directory);
	const third = look(table, table.root, 'name');
	t.is(new Set([file.ino, directory.ino, third.ino]).size, 3);
});

test('what lies in a removed directory has no path', t => {
	const table = new NodeTable();
	const file = look(table, table.root, 'a', 'file');
	table.detach(table.child(table.root, 'a')!);
	t.is(table.pathOf(file), undefined);
	t.true(table.isWithin(file, file.parent!));
	t.false(table.isWithin(file, table.root));
});

test('a listing shows the inode number that a look-up gives, also of what was moved', t => {
	const table = new NodeTable();
	const expected = table.inodeNumber(table.root, 'file');
	const file = look(table, table.root, 'file');
	t.is(file.ino, expected);
	table.move({parent: table.root, name: 'file'}, {parent: table.root, name: 'moved'});
	t.is(table.inodeNumber(table.root, 'moved'), expected);
});

test('the table is empty when the kernel has forgotten everything, in whatever order', t => {
	const table = new NodeTable();
	const nodes = ['x', 'y', 'z'].flatMap(name => [
		look(table, table.root, 'd', name),
		look(table, table.root, 'd', 'e', name),
	]);
	table.detach(nodes[1]!);
	table.move({parent: table.child(table.root, 'd')!, name: 'e'}, {parent: table.root, name: 'e'});
	const known = [...nodes, table.child(table.root, 'd')!, table.child(table.root, 'e')!];
	for (const node of known) {
		table.forget(node.id, node.lookupCount);
	}

	t.is(table.count, 1);
});
