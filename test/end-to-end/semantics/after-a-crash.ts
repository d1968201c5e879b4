/** Section 15 of docs/SEMANTICS.md: a node starts on a copy of the staging directory as a crash would have left it. */
import {constants} from 'node:fs';
import {cp, readFile, readdir, truncate} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createFaultyObjectStore} from '../../store/doubles/faulty-object-store.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {
	closeHandle,
	createStagingDirectory,
	eventually,
	objectText,
	openHandle,
	startNode,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';
import {withoutAge} from '../../support/without-age.ts';

const {O_CREAT, O_RDWR, O_TRUNC, O_WRONLY} = constants;
const journal = {options: {durability: 'journal'}};

/** What a crash of the node leaves at this moment. */
const crash = async (t: ExecutionContext, {stagingDirectory}: VolumeNode): Promise<{stagingDirectory: string}> => {
	const left = await createStagingDirectory(t);
	await cp(stagingDirectory, left, {recursive: true});
	return {stagingDirectory: left};
};

const write = async (node: VolumeNode, handle: number, content: string) =>
	node.fileSystem.write(handle, Buffer.from(content), 0);

test('15.1 What was closed or synced, and not uploaded yet, is uploaded at the next start of the daemon on this node.', async t => {
	for (const options of [journal, {}]) {
		const {bucket, a, start} = await startNodes(t, options);
		await writeText(a.fs, 'changed', 'old content');
		await a.fileSystem.drain();
		for (const key of ['changed', 'synced']) {
			a.store.inject({method: 'put', key, error: 'unavailable', countMax: 1});
			a.store.inject({method: 'put', key, skipCount: 1, isBlocked: true});
		}

		const [closed, synced] = [
			await openHandle(a, 'changed', O_RDWR),
			await openHandle(a, 'synced', O_CREAT | O_WRONLY),
		];
		await write(a, closed, 'NEW');
		await write(a, synced, 'content');
		const told = options === journal ? undefined : 'EIO';
		t.is(await closeHandle(a, closed), told);
		t.is(await errnoOf(a.fileSystem.fsync(synced)), told);
		await eventually(
			t,
			'both have failed, and are in the journal',
			() => a.events.filter(({event}) => event === 'upload failed').length === 2,
		);
		const restarted = await start(await crash(t, a));
		await eventually(
			t,
			'both are in S3',
			async () =>
				(await objectText(bucket, 'changed')) === 'NEW content' && (await objectText(bucket, 'synced')) === 'content',
		);
		await eventually(
			t,
			'the staging directory is empty',
			async () => (await readdir(restarted.stagingDirectory)).length === 0,
		);
		t.deepEqual(
			restarted.events.map(({event}) => event),
			['recovered', 'recovered'],
		);
		a.store.heal();
		await closeHandle(a, synced);
	}
});

test('15.2 Until that upload is done, the node shows the file as it was closed.', async t => {
	const {bucket, a} = await startNodes(t, journal);
	await writeText(a.fs, 'file', 'old');
	await a.fileSystem.drain();
	a.store.inject({method: 'put', isBlocked: true});
	const handle = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	await write(a, handle, 'newer');
	t.is(await closeHandle(a, handle), undefined);
	const slow = createFaultyObjectStore(bucket);
	const upload = slow.inject({method: 'put', isBlocked: true});
	const restarted = await startNode(t, slow, {...journal, ...(await crash(t, a))});
	await upload.reached;
	t.is(await readText(restarted.fs, 'file'), 'newer');
	t.is((await restarted.fs.stat('file')).sizeBytes, 5);
	t.is(await objectText(bucket, 'file'), 'old');
	upload.remove();
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'newer');
});

test('15.3 What was neither closed nor synced is gone, and S3 has the version before it.', async t => {
	const {bucket, a, start} = await startNodes(t);
	await writeText(a.fs, 'file', 'old');
	const handle = await openHandle(a, 'file', O_RDWR);
	await write(a, handle, 'NEW');
	const left = await crash(t, a);
	t.is((await readdir(left.stagingDirectory)).length, 1);
	const restarted = await start(left);
	t.is(await readText(restarted.fs, 'file'), 'old');
	t.is(await objectText(bucket, 'file'), 'old');
	t.deepEqual(await readdir(left.stagingDirectory), []);
	await closeHandle(a, handle);
});

test('15.4 An upload that was complete just before the crash is recognized, and not counted as a conflict.', async t => {
	const {bucket, a, start} = await startNodes(t, journal);
	await writeText(a.fs, 'file', 'old');
	await a.fileSystem.drain();
	a.store.inject({method: 'put', key: 'file', when: 'after', error: 'unavailable', countMax: 1});
	const retry = a.store.inject({key: 'file', skipCount: 3, isBlocked: true});
	const handle = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	await write(a, handle, 'new');
	await closeHandle(a, handle);
	await retry.reached;
	t.is(await objectText(bucket, 'file'), 'new');
	const before = await bucket.head('file');
	const restarted = await start(await crash(t, a));
	await restarted.fileSystem.drain();
	t.is(restarted.fileSystem.status().conflicts, 0);
	t.deepEqual(
		restarted.events.map(({event}) => event),
		['recovered'],
	);
	t.deepEqual(withoutAge(await bucket.head('file')), withoutAge(before));
	t.deepEqual(await readdir(restarted.stagingDirectory), []);
});

test('15.5 An upload after a crash is the last `close()` in the sense of 5.11.', async t => {
	const {bucket, a, b, start} = await startNodes(t, journal);
	await writeText(a.fs, 'file', 'old');
	await a.fileSystem.drain();
	a.store.inject({method: 'put', key: 'file', isBlocked: true});
	const handle = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	await write(a, handle, 'closed before the crash');
	await closeHandle(a, handle);
	const left = await crash(t, a);
	await writeText(b.fs, 'file', 'closed by another node meanwhile');
	await b.fileSystem.drain();
	const restarted = await start(left);
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'closed before the crash');
	t.is(restarted.fileSystem.status().conflicts, 1);
});

test('15.6 After a loss of power only what the journal knows to be whole is uploaded, and the rest is kept in the directory `failed` of the staging directory, with an Event and a line in the status.', async t => {
	const {bucket, a, start} = await startNodes(t, {bootId: 'before'});
	await writeText(a.fs, 'file', 'a good object');
	const long = Buffer.alloc(2 ** 19, 'x');
	const handle = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	const fault = a.store.inject({method: 'put', key: 'file', isBlocked: true});
	await a.fileSystem.write(handle, long, 0);
	const closing = closeHandle(a, handle);
	await fault.reached;
	const [left, sameBoot] = [await crash(t, a), await crash(t, a)];
	const [data = ''] = (await readdir(left.stagingDirectory)).filter(name => name.endsWith('.data'));
	await truncate(join(left.stagingDirectory, data), 0); // What only the page cache had is gone:
	await truncate(join(left.stagingDirectory, data), long.length); // a hole of the same length.
	const restarted = await start({...left, bootId: 'after'});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'a good object');
	t.is(await readText(restarted.fs, 'file'), 'a good object');
	const keptAt = join(left.stagingDirectory, 'failed', data);
	t.deepEqual(restarted.events, [{event: 'bytes may be lost', path: 'file', keptAt}]);
	t.is((await readFile(keptAt)).length, long.length);
	t.deepEqual(await readdir(left.stagingDirectory), ['failed']);

	// The death of the daemon alone loses nothing.
	const again = await start({...sameBoot, bootId: 'before'});
	await again.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), long.toString());
	fault.remove();
	t.is(await closing, undefined);
});

test('15.7 What a `close()` failed to upload, because S3 was away, outlasts a loss of power.', async t => {
	const {bucket, a, start} = await startNodes(t, {bootId: 'before'});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	const fault = a.store.inject({method: 'put', key: 'file', error: 'unavailable'});
	await write(a, handle, 'content');
	t.is(await closeHandle(a, handle), 'EIO');
	const restarted = await start({...(await crash(t, a)), bootId: 'after'});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'content');
	t.deepEqual(
		restarted.events.map(({event}) => event),
		['recovered'],
	);
	fault.remove();
});

test('15.8 The parts that a daemon had sent to S3 when it was killed, and that are in no file, are removed when it starts again.', async t => {
	const {bucket, a, start} = await startNodes(t, {options: {'part-size': '5MiB'}, summedBytesMax: 10 * 2 ** 20});
	const large = Buffer.alloc(17 * 2 ** 20, 'x');
	const handle = await openHandle(a, 'written', O_CREAT | O_WRONLY);
	await a.fileSystem.write(handle, large, 0);
	const closed = await openHandle(a, 'closed', O_CREAT | O_WRONLY);
	await a.fileSystem.write(closed, large.subarray(0, 10 * 2 ** 20), 0);
	const held = a.store.inject({method: 'completeMultipartUpload', isBlocked: true});
	const closing = closeHandle(a, closed);
	await held.reached;
	await eventually(t, 'three parts of the other are sent', () => a.store.callCount('uploadPart') === 5);
	t.is(bucket.openUploadCount, 2);
	const restarted = await start(await crash(t, a));
	await eventually(t, 'both uploads are aborted', () => bucket.openUploadCount === 0);
	await eventually(t, 'their notes are removed', async () =>
		(await readdir(restarted.stagingDirectory)).every(name => !name.endsWith('.upload')),
	);
	held.release();
	t.is(await closing, undefined); // It makes a new upload.
	await closeHandle(a, handle);
});
