/** Sections 1 and 2 of docs/SEMANTICS.md. */
import {constants} from 'node:fs';
import test from 'ava';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {devCredentials} from '../../support/dev-server.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startTestS3Store} from '../../support/test-s3-store.ts';
import {objectKeys, objectText, startNode, startNodes} from '../../support/volume-nodes.ts';

const text = (content: string) => Buffer.from(content);

test('1.1 A file is one object: its key is the path of the file, and its bytes are the bytes of the file.', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('dir');
	await writeText(a.fs, 'dir/file.txt', 'content');
	t.deepEqual(await objectKeys(bucket), ['dir/', 'dir/file.txt']);
	t.is(await objectText(bucket, 'dir/file.txt'), 'content');
});

test('1.2 With the option `prefix` all keys begin with that prefix and a slash, and no other key is shown or touched.', async t => {
	const {store, server, bucket} = await startTestS3Store(t, {keyPrefix: 'team/'});
	const whole = createS3ObjectStore({
		bucket,
		region: 'us-east-1',
		endpoint: server.endpoint,
		pathStyle: true,
		credentials: devCredentials,
	});
	t.teardown(async () => whole.close());
	await whole.put('other', text('not ours'));
	await whole.put('team-mates/file', text('not ours'));
	const {fs} = await startNode(t, store, {options: {prefix: 'team'}});
	t.deepEqual(await fs.readdir(''), []);
	await writeText(fs, 'file', 'ours');
	t.deepEqual(await fs.readdir(''), ['file']);
	t.deepEqual(await objectKeys(whole), ['other', 'team-mates/file', 'team/file']);
});

test('1.3 An object that another S3 client put is a file, without any conversion.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('upload.bin', text('from elsewhere'));
	t.is(await readText(a.fs, 'upload.bin'), 'from elsewhere');
	t.like(await a.fs.stat('upload.bin'), {kind: 'file', sizeBytes: 14, permissions: 0o644});
});

test('1.4 `mkdir()` makes an empty object whose key is the path and a slash.', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('dir');
	t.like(await bucket.head('dir/'), {sizeBytes: 0, contentType: 'application/x-directory'});
});

test('1.5 A key with slashes in it makes its directories visible, with or without objects for them.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('x/y/file', text('deep'));
	t.is((await a.fs.stat('x')).kind, 'directory');
	t.deepEqual([await a.fs.readdir(''), await a.fs.readdir('x'), await a.fs.readdir('x/y')], [['x'], ['y'], ['file']]);
	t.is(await readText(a.fs, 'x/y/file'), 'deep');
});

test('1.6 A directory does not vanish because its last entry was deleted or moved through a mount.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await bucket.put('deleted/file', text('x'));
	await bucket.put('moved/file', text('x'));
	await bucket.put('removed.d/directory/', text(''));
	await bucket.put('moved.d/directory/file', text('x'));
	await a.fs.unlink('deleted/file');
	await a.fs.rename('moved/file', 'elsewhere');
	await a.fs.rmdir('removed.d/directory');
	await a.fs.rename('moved.d/directory', 'elsewhere.d');
	for (const {fs} of [a, b]) {
		for (const directory of ['deleted', 'moved', 'removed.d', 'moved.d']) {
			t.deepEqual(await fs.readdir(directory), [], directory);
		}
	}
});

test('1.7 A directory without an object of its own vanishes when another S3 client deletes its last key.', async t => {
	const {bucket, a, passMs} = await startNodes(t);
	await bucket.put('bare/file', text('x'));
	t.is((await a.fs.stat('bare')).kind, 'directory');
	await bucket.delete('bare/file');
	passMs(1000);
	t.is(await errnoOf(a.fs.stat('bare')), 'ENOENT');
});

test('1.8 Where the keys `a` and `a/b` both exist, `a` is a directory, and the object `a` is neither shown nor touched.', async t => {
	const {bucket, a, passMs} = await startNodes(t);
	await bucket.put('a', text('hidden'));
	await bucket.put('a/b', text('shown'));
	t.is((await a.fs.stat('a')).kind, 'directory');
	t.deepEqual(await a.fs.readdir(''), ['a']);
	t.is(await errnoOf(a.fs.open('a', constants.O_RDWR)), 'EISDIR');
	t.is(await errnoOf(a.fs.unlink('a')), 'EISDIR');
	await a.fs.rename('a', 'c');
	passMs(1000);
	t.is(await readText(a.fs, 'c/b'), 'shown');
	t.is(await objectText(bucket, 'a'), 'hidden');
});

test('1.9 A key that cannot be a path, such as `a//b`, `a/./b` or one with a component of more than 255 bytes, is not shown.', async t => {
	const {bucket, a} = await startNodes(t);
	for (const key of ['/x', '../x', './x', 'n'.repeat(256), 'a//b', 'a/./b', 'a/../b', 'a/c']) {
		await bucket.put(key, text(key));
	}

	t.deepEqual(await a.fs.readdir(''), ['a']);
	t.deepEqual(await a.fs.readdir('a'), ['c']);
});

test('1.10 A key that cannot be a path keeps its directory from being empty.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('a//b', text('kept'));
	t.deepEqual(await a.fs.readdir('a'), []);
	t.is(await errnoOf(a.fs.rmdir('a')), 'ENOTEMPTY');
	t.is(await objectText(bucket, 'a//b'), 'kept');
});

test('1.11 A key that cannot be a path moves along when its directory is renamed.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('old//b', text('kept'));
	await bucket.put('old/./c', text('kept too'));
	await a.fs.rename('old', 'new');
	t.is(await objectText(bucket, 'new//b'), 'kept');
	t.is(await objectText(bucket, 'new/./c'), 'kept too');
	t.deepEqual(
		(await objectKeys(bucket)).filter(key => key.startsWith('old')),
		[],
	);
});

test('1.12 A file keeps the content type of its object, and the metadata that other programs gave it, when it is changed.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('page', text('old'), {contentType: 'text/html', metadata: {'reviewed-by': 'somebody'}});
	await writeText(a.fs, 'page', 'new');
	await a.fs.chmod('page', 0o600);
	const head = await bucket.head('page');
	t.is(head?.contentType, 'text/html');
	t.is(head?.metadata['reviewed-by'], 'somebody');
	t.is(await objectText(bucket, 'page'), 'new');
});

test('1.13 An object whose key ends in a slash is a directory; bytes that another S3 client put there cannot be read, and stay until the directory is removed.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('dir/', text('precious'));
	t.is((await a.fs.stat('dir')).kind, 'directory');
	await a.fs.chmod('dir', 0o700);
	await a.fs.chown('dir', 11, 22);
	await a.fs.rename('dir', 'moved');
	t.like(await a.fs.stat('moved'), {permissions: 0o700, uid: 11, gid: 22});
	t.is(await objectText(bucket, 'moved/'), 'precious');
	await a.fs.rmdir('moved');
	t.deepEqual(await objectKeys(bucket), []);
});

test('2.1 Names are compared byte by byte: case and Unicode normalization count.', async t => {
	const {a} = await startNodes(t);
	const names = ['README', 'readme', '\u00E9', 'e\u0301'];
	for (const name of names) {
		await writeText(a.fs, name, name);
	}

	t.deepEqual((await a.fs.readdir('')).toSorted(), names.toSorted());
	for (const name of names) {
		t.is(await readText(a.fs, name), name);
	}
});

test('2.2 A name has 255 bytes at most; a longer one fails with ENAMETOOLONG.', async t => {
	const {a} = await startNodes(t);
	const longest = `${'\u00E9'.repeat(127)}x`;
	await writeText(a.fs, longest, 'x');
	t.deepEqual(await a.fs.readdir(''), [longest]);
	const create = async (name: string) => a.fs.open(name, constants.O_CREAT | constants.O_WRONLY);
	t.is(await errnoOf(create(`${longest}y`)), 'ENAMETOOLONG');
	t.is(await errnoOf(a.fs.mkdir('\u00E9'.repeat(128))), 'ENAMETOOLONG');
	t.is(await errnoOf(a.fs.rename(longest, 'n'.repeat(256))), 'ENAMETOOLONG');
});

test('2.3 A key, with the prefix and the slash of a directory, has 1024 bytes at most; what needs a longer one fails with ENAMETOOLONG.', async t => {
	const {bucket, a, start} = await startNodes(t);
	const directory = Array.from({length: 4}, () => 'd'.repeat(250)).join('/'); // 1003 bytes
	await bucket.put(`${directory}/`, text(''));
	await writeText(a.fs, `${directory}/${'f'.repeat(20)}`, 'fits');
	const create = async (fs: typeof a.fs, name: string) =>
		fs.open(`${directory}/${name}`, constants.O_CREAT | constants.O_WRONLY);
	t.is(await errnoOf(create(a.fs, 'f'.repeat(21))), 'ENAMETOOLONG');
	t.is(await errnoOf(a.fs.mkdir(`${directory}/${'f'.repeat(20)}`)), 'ENAMETOOLONG', 'The slash is the byte too many');
	const prefixed = await start({options: {prefix: 'p'}});
	t.is(await errnoOf(create(prefixed.fs, 'f'.repeat(19))), 'ENAMETOOLONG', 'So is the prefix');
	await writeText(a.fs, 'short', 'x');
	await a.fs.mkdir('tree');
	await bucket.put(`tree/${'t'.repeat(30)}`, text('x'));
	t.is(await errnoOf(a.fs.rename('tree', `${directory}/t`)), 'ENAMETOOLONG');
	t.is(await objectText(bucket, `tree/${'t'.repeat(30)}`), 'x');
});

test('2.4 A name that is not valid UTF-8 cannot be created: EILSEQ.', async t => {
	const {a} = await startNodes(t);
	t.is(await errnoOf(a.fs.open('bad\uFFFDname', constants.O_CREAT | constants.O_WRONLY)), 'EILSEQ');
	t.is(await errnoOf(a.fs.mkdir('bad\uFFFDname')), 'EILSEQ');
	t.is(await errnoOf(a.fs.symlink('target', 'bad\uFFFDname')), 'EILSEQ');
});
