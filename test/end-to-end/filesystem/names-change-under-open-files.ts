import {constants} from 'node:fs';
import test from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {
	closeHandle,
	eventually,
	objectKeys,
	objectText,
	openHandle,
	readHandle,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_CREAT, O_RDONLY, O_RDWR, O_WRONLY} = constants;
const mebibyte = 2 ** 20;

const write = async ({fileSystem}: VolumeNode, handle: number, text: string): Promise<number> =>
	fileSystem.write(handle, Buffer.from(text), 0);

for (const durability of ['close', 'journal']) {
	test(`unlink() while the file is uploaded leaves nothing in S3, and its close() succeeds, durability ${durability}`, async t => {
		const {bucket, a} = await startNodes(t, {options: {durability}});
		const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
		await write(a, handle, 'content');
		const fault = a.store.inject({method: 'put', key: 'file', isBlocked: true});
		const closing = closeHandle(a, handle);
		await fault.reached;
		const unlinking = a.fileSystem.unlink('file');
		fault.remove();
		t.is(await closing, undefined);
		await unlinking;
		await a.fileSystem.drain();
		t.deepEqual(await objectKeys(bucket), []);
		t.is(a.fileSystem.status().stagingBytes, 0);
	});
}

for (const change of ['unlink', 'rename'] as const) {
	for (const sealer of ['fsync', 'drain'] as const) {
		test(`${change}() that takes a name while ${sealer}() writes the journal is not undone by the upload after it`, async t => {
			const {bucket, a} = await startNodes(t, {options: {durability: 'journal'}, isVersioned: true});
			await bucket.put('other', Buffer.from('other'));
			await writeText(a.fs, 'file', 'old');
			await a.fileSystem.drain();
			const handle = await openHandle(a, 'file', O_RDWR);
			await write(a, handle, 'NEW');
			const put = a.store.inject({method: 'put', key: 'file', isBlocked: true});
			const method = change === 'unlink' ? 'delete' : 'copy';
			const taken = a.store.inject({method, key: 'file', isBlocked: true, when: 'after'});
			// The name goes as soon as the journal is written, when nothing of the upload is to be seen yet.
			const sealing = sealer === 'fsync' ? a.fileSystem.fsync(handle) : a.fileSystem.drain();
			const changing = change === 'unlink' ? a.fileSystem.unlink('file') : a.fileSystem.rename('other', 'file');
			await taken.reached;
			put.remove();
			taken.remove();
			await Promise.all([sealing, changing]);
			await a.fileSystem.drain();
			t.deepEqual(await objectKeys(bucket), change === 'unlink' ? ['other'] : ['file']);
			t.is(await objectText(bucket, 'file'), change === 'unlink' ? undefined : 'other');
			t.is(put.hitCount, 0);
			t.is(await readHandle(a, handle), 'NEW');
			await closeHandle(a, handle);
			t.is(a.fileSystem.status().conflicts, 0);
			t.is(a.fileSystem.status().stagingBytes, 0);
		});
	}
}

test('a file that is made where one was removed while it was synced, and then extended, has zeros', async t => {
	const {bucket, a} = await startNodes(t, {options: {durability: 'journal'}, isVersioned: true});
	await writeText(a.fs, 'file', 'old');
	await a.fileSystem.drain();
	const old = await openHandle(a, 'file', O_RDWR);
	await write(a, old, 'NEW');
	const taken = a.store.inject({method: 'delete', key: 'file', isBlocked: true, when: 'after'});
	const syncing = a.fileSystem.fsync(old);
	const unlinking = a.fileSystem.unlink('file');
	await taken.reached;
	taken.remove();
	await Promise.all([syncing, unlinking]);
	await a.fileSystem.drain();
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	await a.fileSystem.truncate({handle}, 2);
	t.is(await readHandle(a, handle), '\0\0');
	await Promise.all([closeHandle(a, handle), closeHandle(a, old)]);
	await a.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), '\0\0');
});

test('unlink() that fails leaves the file, and its upload goes on', async t => {
	const {bucket, a} = await startNodes(t, {options: {durability: 'journal'}});
	const put = a.store.inject({method: 'put', key: 'file', error: 'unavailable', countMax: 1});
	await writeText(a.fs, 'file', 'content');
	a.store.inject({method: ['head', 'delete'], key: 'file', error: 'unavailable', countMax: 1});
	t.is(await errnoOf(a.fileSystem.unlink('file')), 'EIO');
	t.is(await readText(a.fs, 'file'), 'content');
	await eventually(t, 'the file is uploaded', async () => (await objectText(bucket, 'file')) === 'content');
	t.true(put.hitCount <= 1);
});

test('unlink() that fails makes no writer of a reader', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'old');
	const reader = await openHandle(a, 'file', O_RDONLY);
	const fault = a.store.inject({method: 'delete', error: 'accessDenied'});
	t.is(await errnoOf(a.fileSystem.unlink('file')), 'EACCES');
	fault.remove();
	passMs(5000);
	await writeText(b.fs, 'file', 'new');
	await closeHandle(a, reader);
	await a.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'new');
	t.is(a.fileSystem.status().stagingBytes, 0);
});

test('unlink() of a file whose open version is gone from S3 works; the reader gets ESTALE', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(b.fs, 'file', 'old content');
	const reader = await openHandle(a, 'file', O_RDWR);
	await writeText(b.fs, 'file', 'new content');
	passMs(5000);
	t.is(await errnoOf(a.fileSystem.unlink('file')), undefined);
	t.deepEqual(await objectKeys(bucket), []);
	t.is(await errnoOf(readHandle(a, reader)), 'ESTALE');
	await closeHandle(a, reader);
});

test('a file that a pending copy was made from is not deleted or replaced before the copy is in S3', async t => {
	for (const change of ['unlink', 'rename', 'replace', 'write'] as const) {
		const {bucket, a} = await startNodes(t, {options: {durability: 'journal', 'part-size': '5MiB'}});
		await bucket.put('source', Buffer.alloc(6 * mebibyte, 's'));
		await bucket.put('other', Buffer.from('other'));
		const delayed = a.store.inject({key: 'copy', method: ['put', 'copy', 'createMultipartUpload'], delayMs: 50});
		const [source, copy] = [await openHandle(a, 'source', O_RDONLY), await openHandle(a, 'copy', O_CREAT | O_WRONLY)];
		t.is(
			await a.fileSystem.copyFileRange({handle: source, offset: 0}, {handle: copy, offset: 0}, 6 * mebibyte),
			6 * mebibyte,
		);
		t.deepEqual([await closeHandle(a, source), await closeHandle(a, copy)], [undefined, undefined]);
		await {
			unlink: async () => a.fileSystem.unlink('source'),
			rename: async () => a.fileSystem.rename('source', 'moved'),
			replace: async () => a.fileSystem.rename('other', 'source'),
			write: async () => writeText(a.fs, 'source', 'other'),
		}[change]();
		await a.fileSystem.drain();
		t.is((await objectText(bucket, 'copy'))?.length, 6 * mebibyte, change);
		t.true(delayed.hitCount > 0);
	}
});

test('chmod() of a name while a writer closes it keeps the new bytes and the new mode', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, 'file', 'old content');
	const writer = await openHandle(a, 'file', O_RDWR);
	const fault = a.store.inject({method: 'copy', key: 'file', isBlocked: true});
	const changing = a.fileSystem.chmod({path: 'file'}, 0o600);
	await fault.reached;
	const closing = (async () => {
		await write(a, writer, 'NEW');
		return closeHandle(a, writer);
	})();
	fault.remove();
	await changing;
	t.is(await closing, undefined);
	t.is(await objectText(bucket, 'file'), 'NEW content');
	t.is((await a.fs.stat('file')).permissions, 0o600);
	t.is(a.fileSystem.status().conflicts, 0);
});

test('rename() of a file that another node replaced by one of equal size gives an open reader no new version', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(b.fs, 'file', 'version one');
	const reader = await openHandle(a, 'file', O_RDONLY);
	t.is(await readHandle(a, reader, 0, 8), 'version ');
	await writeText(b.fs, 'file', 'VERSION TWO');
	passMs(5000);
	await a.fileSystem.rename('file', 'renamed');
	t.is(await errnoOf(readHandle(a, reader, 8)), 'ESTALE');
	t.is(await objectText(bucket, 'renamed'), 'VERSION TWO');
	t.is(await readText(a.fs, 'renamed'), 'VERSION TWO');
	await closeHandle(a, reader);
});

test('rename() of a directory over an empty one that fails leaves both as they were', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('from');
	await a.fs.mkdir('to', 0o700);
	for (const name of ['a', 'b', 'c']) {
		await writeText(a.fs, `from/${name}`, name);
	}

	const before = await objectKeys(bucket);
	const fault = a.store.inject({method: 'copy', key: 'to/b', error: 'accessDenied'});
	t.is(await errnoOf(a.fileSystem.rename('from', 'to')), 'EACCES');
	t.deepEqual(await objectKeys(bucket), before);
	t.is((await a.fs.stat('to')).permissions, 0o700);
	t.is(await readText(a.fs, 'from/b'), 'b');
	fault.remove();
	await a.fileSystem.rename('from', 'to');
	t.deepEqual(await objectKeys(bucket), ['to/', 'to/a', 'to/b', 'to/c']);
});

test('rename() of a directory with open and dirty files takes them along', async t => {
	const {bucket, a} = await startNodes(t);
	await a.fs.mkdir('from');
	await writeText(a.fs, 'from/read', 'read me');
	const [reader, writer, fresh] = [
		await openHandle(a, 'from/read', O_RDONLY),
		await openHandle(a, 'from/read', O_RDWR),
		await openHandle(a, 'from/fresh', O_CREAT | O_WRONLY),
	];
	await write(a, fresh, 'fresh');
	await write(a, writer, 'READ');
	await a.fileSystem.rename('from', 'to');
	t.is(await readHandle(a, reader), 'READ me');
	await write(a, writer, 'WRITTEN');
	t.deepEqual(
		[await closeHandle(a, reader), await closeHandle(a, writer), await closeHandle(a, fresh)],
		[undefined, undefined, undefined],
	);
	t.deepEqual(await objectKeys(bucket), ['to/', 'to/fresh', 'to/read']);
	t.deepEqual([await objectText(bucket, 'to/read'), await objectText(bucket, 'to/fresh')], ['WRITTEN', 'fresh']);
});
