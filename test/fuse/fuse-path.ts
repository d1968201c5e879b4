import test from 'ava';
import {toNewPath, toPath, toUtf8} from '../../src/fuse/fuse-path.ts';

test('toPath() takes the slash off; names that were not UTF-8 are ENOENT to find and EILSEQ to make', t => {
	t.is(toPath('/'), '');
	t.is(toPath('/a/b c'), 'a/b c');
	t.is(toNewPath('/ü/🦀'), 'ü/🦀');
	t.like(
		t.throws(() => toPath('/a\uFFFD')),
		{errno: 'ENOENT'},
	);
	t.like(
		t.throws(() => toNewPath('/a\uFFFD')),
		{errno: 'EILSEQ'},
	);
	t.is(toPath(`/${'é'.repeat(127)}`).length, 127);
	t.like(
		t.throws(() => toPath(`/${'é'.repeat(128)}`)),
		{errno: 'ENAMETOOLONG'},
	);
	t.like(
		t.throws(() => toUtf8('\uFFFD', 'link target')),
		{errno: 'EILSEQ'},
	);
});
