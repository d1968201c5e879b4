import test from 'ava';
import {pathInFileSystem} from '../../src/fuse/other-descriptors.ts';

test('pathInFileSystem() tells where a path below a mount lies in its file system', t => {
	t.is(pathInFileSystem({root: '/', mountPoint: '/mnt'}, '/mnt/d/file'), 'd/file');
	t.is(pathInFileSystem({root: '/a/part', mountPoint: '/data'}, '/data/file'), 'a/part/file');
	t.is(pathInFileSystem({root: '/', mountPoint: '/'}, '/file'), 'file');
	t.is(pathInFileSystem({root: '/', mountPoint: '/mnt'}, '/mnt2/file'), undefined);
});
