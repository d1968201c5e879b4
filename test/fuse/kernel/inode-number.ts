import test from 'ava';
import {inodeNumberOf} from '../../../src/fuse/kernel/inode-number.ts';

test('the inode number of a path is always the same, and a safe integer above that of the root', t => {
	t.is(inodeNumberOf('a/b/file'), inodeNumberOf('a/b/file'));
	for (const path of ['', 'a', 'a/b', 'ä'.repeat(500), '\u{1F600}']) {
		const number = inodeNumberOf(path);
		t.true(Number.isSafeInteger(number) && number > 1, `${path}: ${number}`);
	}
});

test('other paths and other salts have other numbers', t => {
	const numbers = new Set<number>();
	for (let index = 0; index < 100_000; index++) {
		numbers.add(inodeNumberOf(`directory/file-${index}`));
	}

	t.is(numbers.size, 100_000);
	t.is(new Set([0, 1, 2, 3].map(salt => inodeNumberOf('file', salt))).size, 4);
});
