import test from 'ava';
import {InodeNumbers} from '../../src/filesystem/inode-numbers.ts';

test('the number of a path is the same in every run, and that of the root is 1', t => {
	t.is(new InodeNumbers().of('d/a'), new InodeNumbers().of('d/a'));
	t.is(new InodeNumbers().of(''), 1);
	t.not(new InodeNumbers().of('d/a'), new InodeNumbers().of('d/b'));
});

test('a file keeps its number when it is renamed, also more than once and back', t => {
	const inodes = new InodeNumbers();
	const ino = inodes.of('a');
	inodes.renamed('a', 'b');
	t.is(inodes.of('b'), ino);
	inodes.renamed('b', 'c');
	t.is(inodes.of('c'), ino);
	inodes.renamed('c', 'a');
	t.is(inodes.of('a'), ino);
});

test('a new file does not get the number of one that was renamed from its name', t => {
	const inodes = new InodeNumbers();
	inodes.renamed('a', 'b');
	inodes.created('a');
	t.not(inodes.of('a'), inodes.of('b'));
});

test('a new file does not get the number of one that was unlinked under its name and may be open', t => {
	const inodes = new InodeNumbers();
	const first = inodes.of('a');
	inodes.unlinked('a');
	inodes.created('a');
	const second = inodes.of('a');
	t.not(second, first);
	inodes.unlinked('a');
	inodes.created('a');
	t.false([first, second].includes(inodes.of('a')));
});

test('a file that is replaced by a rename leaves its number to whoever has it open', t => {
	const inodes = new InodeNumbers();
	const [moved, replaced] = [inodes.of('a'), inodes.of('b')];
	inodes.renamed('a', 'b');
	t.is(inodes.of('b'), moved);
	inodes.unlinked('b');
	inodes.created('b');
	t.false([moved, replaced].includes(inodes.of('b')));
});

test('the bound makes the oldest path get its own number again', t => {
	const inodes = new InodeNumbers({countMax: 2});
	const own = inodes.of('x1');
	for (const index of [1, 2, 3]) {
		inodes.renamed(`a${index}`, `x${index}`);
	}

	t.is(inodes.of('x1'), own);
	t.is(inodes.of('x3'), new InodeNumbers().of('a3'));
});
