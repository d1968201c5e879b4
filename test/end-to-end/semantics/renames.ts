/** Section 6 of docs/SEMANTICS.md; what needs a kernel is in `on-mounts.ts`. */
import {constants} from 'node:fs';
import test from 'ava';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {
	eventually,
	closeHandle,
	objectKeys,
	objectText,
	openHandle,
	readHandle,
	startNodes,
} from '../../support/volume-nodes.ts';

const {O_APPEND, O_CREAT, O_RDWR, O_WRONLY} = constants;

test('6.1 A rename is done by S3, which copies the object and deletes the old one: no byte passes through the node.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('old', Buffer.from('content'));
	await a.fs.rename('old', 'new');
	t.deepEqual(await objectKeys(bucket), ['new']);
	t.is(await objectText(bucket, 'new'), 'content');
	t.is(a.store.callCount('get', 'put', 'uploadPart'), 0);
	t.is(a.store.callCount('copy'), 1);
});

test('6.2 A rename keeps the mode, the owner, the times and the extended attributes.', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, 'old', 'content');
	await a.fs.chmod('old', 0o4750);
	await a.fs.chown('old', 11, 22);
	await a.fs.extended?.setxattr('old', 'user.note', 'kept', 'either');
	await a.fs.extended?.utimens('old', {atime: 111_000_000_001n, mtime: 222_000_000_002n});
	await a.fs.rename('old', 'new');
	for (const {fs} of [a, b]) {
		t.like(await fs.stat('new'), {
			permissions: 0o4750,
			uid: 11,
			gid: 22,
			atimeNs: 111_000_000_001n,
			mtimeNs: 222_000_000_002n,
		});
		t.is((await fs.extended?.getxattr('new', 'user.note'))?.toString(), 'kept');
	}
});

test('6.3 Other nodes see the new name with the whole file or not at all, and for a moment both names, but never none.', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'old', 'content');
	const [copy, removal] = [
		a.store.inject({method: 'copy', isBlocked: true}),
		a.store.inject({method: 'delete', isBlocked: true}),
	];
	const renamed = a.fs.rename('old', 'new');
	await copy.reached;
	t.deepEqual(await b.fs.readdir(''), ['old']);
	copy.remove();
	await removal.reached;
	passMs(1000);
	t.deepEqual(await b.fs.readdir(''), ['new', 'old']);
	t.deepEqual([await readText(b.fs, 'old'), await readText(b.fs, 'new')], ['content', 'content']);
	removal.remove();
	await renamed;
	passMs(1000);
	t.deepEqual(await b.fs.readdir(''), ['new']);
});

test('6.4 A rename over a file replaces it in one step: at every moment the name shows the old file or the new one.', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, 'config', 'old');
	await writeText(a.fs, 'config.tmp', 'new');
	const callCount = a.store.calls.length;
	const copy = a.store.inject({method: 'copy', isBlocked: true});
	const renamed = a.fs.rename('config.tmp', 'config');
	await copy.reached;
	t.is(await readText(b.fs, 'config'), 'old');
	copy.remove();
	await renamed;
	t.is(await readText(b.fs, 'config'), 'new');
	t.deepEqual(
		a.store.calls.slice(callCount).filter(({method}) => method.startsWith('delete')),
		[{method: 'delete', key: 'config.tmp'}],
	);
});

test('6.5 A directory is copied whole before the first of its old keys is deleted.', async t => {
	const {bucket, a} = await startNodes(t);
	const names = Array.from({length: 40}, (_, index) => `file-${index}`);
	await Promise.all(names.map(async name => bucket.put(`old/sub/${name}`, Buffer.from(name))));
	const last = a.store.inject({method: 'copy', key: 'new/sub/file-39', isBlocked: true});
	const renamed = a.fs.rename('old', 'new');
	await last.reached;
	await eventually(
		t,
		'all others are copied',
		async () => (await objectKeys(bucket)).filter(key => key.startsWith('new/sub/file-')).length === names.length - 1,
	);
	t.false(a.store.calls.some(({method}) => method.startsWith('delete')));
	last.remove();
	await renamed;
	t.is(a.store.callCount('copy'), names.length);
	t.true(a.store.calls.some(({method}) => method.startsWith('delete')));
	t.deepEqual((await a.fs.readdir('new/sub')).toSorted(), names.toSorted());
	t.is(await errnoOf(a.fs.stat('old')), 'ENOENT');
});

test('6.6 When the rename of a directory fails while it is copied, the old directory is as it was, and the copies are gone.', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('old');
	await writeText(a.fs, 'old/one', '1');
	await writeText(a.fs, 'old/two', '2');
	const before = await objectKeys(bucket);
	a.store.inject({method: 'copy', key: 'new/two', error: 'accessDenied'});
	t.is(await errnoOf(a.fs.rename('old', 'new')), 'EACCES');
	t.deepEqual(await objectKeys(bucket), before);
	t.deepEqual(await a.fs.readdir('old'), ['one', 'two']);
});

test('6.7 A directory cannot replace one that is not empty: ENOTEMPTY.', async t => {
	const {a, b} = await startNodes(t);
	await a.fs.mkdir('from');
	await a.fs.mkdir('full');
	await a.fs.mkdir('empty');
	await writeText(b.fs, 'full/file', 'x');
	t.is(await errnoOf(a.fs.rename('from', 'full')), 'ENOTEMPTY');
	await a.fs.rename('from', 'empty');
	t.deepEqual(await a.fs.readdir(''), ['empty', 'full']);
});

test('6.8 A directory cannot become part of itself: EINVAL.', async t => {
	const {a} = await startNodes(t);
	await a.fs.mkdir('dir');
	await a.fs.mkdir('dir/sub');
	t.is(await errnoOf(a.fs.rename('dir', 'dir/sub/dir')), 'EINVAL');
});

test('6.9 With RENAME_NOREPLACE a name that exists fails with EEXIST.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'from', 'new');
	await writeText(a.fs, 'to', 'old');
	t.is(await errnoOf(a.fileSystem.rename('from', 'to', {noReplace: true})), 'EEXIST');
	t.is(await readText(a.fs, 'to'), 'old');
	await a.fileSystem.rename('from', 'free', {noReplace: true});
	t.is(await readText(a.fs, 'free'), 'new');
});

test('6.10 RENAME_EXCHANGE fails with EINVAL.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'one', '1');
	await writeText(a.fs, 'two', '2');
	t.is(await errnoOf(a.fileSystem.rename('one', 'two', {exchange: true})), 'EINVAL');
	t.deepEqual([await readText(a.fs, 'one'), await readText(a.fs, 'two')], ['1', '2']);
});

test('6.11 What is dirty of a file is uploaded before the file is renamed.', async t => {
	const {bucket, a} = await startNodes(t, {options: {durability: 'journal'}});
	await a.fs.mkdir('dir');
	const [file, inside] = [
		await openHandle(a, 'file', O_CREAT | O_WRONLY),
		await openHandle(a, 'dir/inside', O_CREAT | O_WRONLY),
	];
	await a.fileSystem.write(file, Buffer.from('dirty'), 0);
	await a.fileSystem.write(inside, Buffer.from('dirty too'), 0);
	await a.fs.rename('file', 'moved');
	await a.fs.rename('dir', 'moved.d');
	t.is(await objectText(bucket, 'moved'), 'dirty');
	t.is(await objectText(bucket, 'moved.d/inside'), 'dirty too');
	t.deepEqual(await objectKeys(bucket), ['moved', 'moved.d/', 'moved.d/inside']);
	await closeHandle(a, file);
	await closeHandle(a, inside);
});

test('6.12 An open file survives its rename on its own node: reads and writes go on, and later changes go to the new name.', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('dir');
	await writeText(a.fs, 'dir/file', 'before, ');
	const handle = await openHandle(a, 'dir/file', O_RDWR);
	await a.fs.rename('dir/file', 'dir/moved');
	await a.fs.rename('dir', 'directory');
	t.is(await readHandle(a, handle), 'before, ');
	await a.fileSystem.write(handle, Buffer.from('after'), 8);
	t.is(await readHandle(a, handle), 'before, after');
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'directory/moved'), 'before, after');
	t.deepEqual(await objectKeys(bucket), ['directory/', 'directory/moved']);
});

test('6.14 What another node closes in a file while that file, or its directory, is renamed is under the new name or the old one, and never lost.', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'log', 'one\n');
	await a.fs.mkdir('dir');
	await writeText(a.fs, 'dir/log', 'one\n');
	await writeText(a.fs, 'dir/other', 'other');
	const append = async (path: string, text: string) => {
		const handle = await openHandle(b, path, O_WRONLY | O_APPEND | O_CREAT);
		await b.fileSystem.write(handle, Buffer.from(text), 0);
		t.is(await closeHandle(b, handle), undefined);
	};

	const removal = a.store.inject({method: 'delete', key: 'log', isBlocked: true});
	const renamed = a.fs.rename('log', 'log.1');
	await removal.reached;
	await append('log', 'two\n');
	removal.remove();
	await renamed;
	t.is(await objectText(bucket, 'log.1'), 'one\ntwo\n');
	t.is(await objectText(bucket, 'log'), undefined);

	const removals = a.store.inject({method: 'deleteMany', isBlocked: true});
	const moved = a.fs.rename('dir', 'dir.1');
	await removals.reached;
	await append('dir/log', 'two\n');
	await append('dir/new', 'new');
	removals.remove();
	await moved;
	t.is(await objectText(bucket, 'dir.1/log'), 'one\ntwo\n');
	t.is(await objectText(bucket, 'dir.1/other'), 'other');
	t.is((await objectText(bucket, 'dir.1/new')) ?? (await objectText(bucket, 'dir/new')), 'new');
	passMs(1000);
	t.is(await readText(a.fs, 'dir.1/log'), 'one\ntwo\n');
});

test('a file that is made anew with the bytes that were moved, while a directory is renamed, is not taken for the old one', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (const name of ['same', 'other']) {
		await bucket.put(`dir/${name}`, Buffer.from('old'));
	}

	const before = a.store.inject({method: 'deleteMany', countMax: 1, isBlocked: true});
	const after = a.store.inject({method: 'deleteMany', countMax: 1, isBlocked: true, when: 'after'});
	const renamed = a.fs.rename('dir', 'moved');
	await before.reached;
	await bucket.put('dir/other', Buffer.from('changed, so that there is another round'));
	before.remove();
	await after.reached;
	await writeText(b.fs, 'dir/same', 'old');
	await b.fs.chmod('dir/same', 0o600);
	after.remove();
	await renamed;
	t.is((await bucket.head('moved/same'))?.metadata['file-permissions'], '0100600', 'It moved along');
	t.is(await objectText(bucket, 'moved/other'), 'changed, so that there is another round');
});

test('a file that was changed under its old and its new name while it was renamed keeps both', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (const [from, to] of [
		['file', 'moved'],
		['dir/file', 'moved.d/file'],
	] as const) {
		await bucket.put(from, Buffer.from('first'));
		const removal = a.store.inject({method: ['delete', 'deleteMany'], isBlocked: true});
		const renamed = a.fs.rename(from.replace('/file', ''), to.replace('/file', ''));
		await removal.reached;
		await writeText(b.fs, from, 'written under the old name');
		await bucket.put(to, Buffer.from('written under the new name'));
		removal.remove();
		await renamed;
		t.is(await objectText(bucket, from), 'written under the old name');
		t.is(await objectText(bucket, to), 'written under the new name');
		t.is(await readText(a.fs, from), 'written under the old name');
	}
});

test('what another node puts into a new directory while it is renamed to is not replaced, and the rename fails', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('from/one', Buffer.from('1'));
	await bucket.put('from/two', Buffer.from('2'));
	const copy = a.store.inject({method: 'copy', key: 'to/two', isBlocked: true});
	const renamed = errnoOf(a.fs.rename('from', 'to'));
	await copy.reached;
	await bucket.put('to/two', Buffer.from('of another node'));
	copy.remove();
	t.is(await renamed, 'EEXIST');
	t.is(await objectText(bucket, 'to/two'), 'of another node');
	t.deepEqual(await objectKeys(bucket), ['from/one', 'from/two', 'to/two']);
});

test('6.15 Of all nodes that rename something to one name with RENAME_NOREPLACE at the same time, exactly one succeeds; the others get EEXIST, and what they have stays as it is.', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (const [nameOfA, nameOfB, to] of [
		['a', 'b', 'taken'],
		['a.d', 'b.d', 'taken.d'],
	] as const) {
		const isTree = to.endsWith('.d');
		const [ofA, ofB] = [nameOfA, nameOfB].map(name => (isTree ? `${name}/file` : name)) as [string, string];
		await bucket.put(ofA, Buffer.from('of a'));
		await bucket.put(ofB, Buffer.from('of b'));
		const write = a.store.inject({method: ['copy', 'put'], key: isTree ? `${to}/` : to, isBlocked: true});
		const lost = errnoOf(a.fileSystem.rename(nameOfA, to, {noReplace: true}));
		await write.reached;
		await b.fileSystem.rename(nameOfB, to, {noReplace: true});
		write.remove();
		t.is(await lost, 'EEXIST');
		t.is(await objectText(bucket, isTree ? `${to}/file` : to), 'of b');
		t.is(await objectText(bucket, ofA), 'of a');
	}
});

test('a file that is written all the time elsewhere while it is renamed stays under both names: EBUSY', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.from('0'));
	let count = 0;
	const renaming = a.fs.rename('file', 'moved');
	const writes = setInterval(() => void bucket.put('file', Buffer.from(String(++count))), 0);
	t.teardown(() => clearInterval(writes));
	const refusal = a.store.inject({method: 'delete', error: 'preconditionFailed'});
	t.is(await errnoOf(renaming), 'EBUSY');
	clearInterval(writes);
	refusal.remove();
	t.truthy(await objectText(bucket, 'file'));
	t.truthy(await objectText(bucket, 'moved'));
});
