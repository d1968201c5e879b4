import test from 'ava';
import {KernelPages} from '../../src/filesystem/kernel-pages.ts';

test('has() says whether the pages of a path are of the version that was noted last', t => {
	const pages = new KernelPages();
	t.false(pages.has('a', '1'));
	pages.note('a', '1');
	t.true(pages.has('a', '1'));
	t.false(pages.has('a', '2'), 'changed elsewhere');
	t.false(pages.has('b', '1'), 'another path');
	pages.note('a', '2');
	t.true(pages.has('a', '2'));
	t.false(pages.has('a', '1'));
});

test('replaced() keeps the pages of the version before, and no others', t => {
	const pages = new KernelPages();
	pages.note('a', '1');
	pages.replaced('a', '1', '2');
	t.true(pages.has('a', '2'));
	pages.replaced('a', '1', '3');
	t.false(pages.has('a', '3'), 'the pages were not of version 1');
	pages.replaced('b', '1', '2');
	t.false(pages.has('b', '2'), 'there were none');
});

test('moved() takes the pages along if they are of the version that was moved', t => {
	const pages = new KernelPages();
	pages.note('a', '1');
	pages.note('b', 'old');
	pages.moved({path: 'a', etag: '1'}, {path: 'b', etag: '2'});
	t.true(pages.has('b', '2'));
	t.false(pages.has('a', '1'));
});

test('moved() drops the pages of the target when those of the source are of another version', t => {
	const pages = new KernelPages();
	pages.note('a', 'older');
	pages.note('b', '2');
	pages.moved({path: 'a', etag: '1'}, {path: 'b', etag: '2'});
	t.false(pages.has('b', '2'));
});

test('forget() and forgetTree() drop a path, and a directory with all below it', t => {
	const pages = new KernelPages();
	for (const path of ['d', 'd/a', 'd/e/b', 'da', 'x']) {
		pages.note(path, '1');
	}

	pages.forgetTree('d');
	pages.forget('x');
	t.deepEqual(
		['d', 'd/a', 'd/e/b', 'da', 'x'].filter(path => pages.has(path, '1')),
		['da'],
	);
});

test('the bound drops the path that was noted longest ago', t => {
	const pages = new KernelPages({countMax: 2});
	pages.note('a', '1');
	pages.note('b', '1');
	pages.note('a', '1');
	pages.note('c', '1');
	t.true(pages.has('a', '1'));
	t.false(pages.has('b', '1'));
});
