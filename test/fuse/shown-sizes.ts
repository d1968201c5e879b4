import test from 'ava';
import {ShownSizes} from '../../src/fuse/shown-sizes.ts';

const [thread, otherThread] = [1, 2];
const file = (sizeBytes: number) => ({sizeBytes, isDirectory: false});

const setUp = (): ShownSizes => new ShownSizes({countMax: 100});

test('the first size that the kernel is told of a file is one that all threads know', t => {
	const shown = setUp();
	t.false(shown.isWrong('/a', 5, thread), 'it knows none');
	shown.told('/a', file(4), thread);
	t.false(shown.isUnsure('/a', otherThread));
	t.true(shown.isWrong('/a', 5, otherThread));
	t.true(shown.isWrong('/a', 5, otherThread), 'and it stays so');
	t.false(shown.isWrong('/a', 4, otherThread));
});

test('another size is sure for a thread when it was told itself, and for all when that one has gone on', t => {
	const shown = setUp();
	shown.told('/a', file(4), thread);
	shown.told('/a', file(5), otherThread);
	t.true(shown.isUnsure('/a', thread));
	t.true(shown.isWrong('/a', 5, thread));
	t.false(shown.isUnsure('/a', otherThread));
	t.false(shown.isWrong('/a', 5, otherThread));
	t.false(shown.isUnsure('/a', thread));
	t.false(shown.isWrong('/a', 5, thread));
});

test('wrote() raises the size, and does not lower it', t => {
	const shown = setUp();
	shown.wrote('/a', 4);
	t.false(shown.isWrong('/a', 5, thread), 'it knows none');
	shown.told('/a', file(4), thread);
	shown.wrote('/a', 6);
	shown.wrote('/a', 5);
	t.false(shown.isWrong('/a', 6, thread));
	t.true(shown.isWrong('/a', 5, thread));
});

test('renamed() takes the size of a file along, and those of the files below a directory', t => {
	const shown = setUp();
	for (const path of ['/d/a', '/d/e/b', '/da', '/c']) {
		shown.told(path, file(4), thread);
	}

	shown.told('/d', {sizeBytes: 0, isDirectory: true}, thread);
	shown.renamed('/c', '/x');
	shown.renamed('/d', '/y');
	const known = (paths: readonly string[]): string[] => paths.filter(path => shown.isWrong(path, 5, thread));
	t.deepEqual(known(['/c', '/d', '/d/a', '/d/e/b']), []);
	t.deepEqual(known(['/x', '/y', '/y/a', '/y/e/b', '/da']), ['/x', '/y', '/y/a', '/y/e/b', '/da']);
	shown.forget('/x');
	t.deepEqual(known(['/x']), []);
});

test('an open is refused once for each thread and path', t => {
	const shown = setUp();
	t.true(shown.mayRefuse('/a', thread));
	shown.refused('/a', thread);
	t.false(shown.mayRefuse('/a', thread));
	t.true(shown.mayRefuse('/a', otherThread));
	t.true(shown.mayRefuse('/b', thread));
	shown.answered('/a', thread);
	t.true(shown.mayRefuse('/a', thread));
});
