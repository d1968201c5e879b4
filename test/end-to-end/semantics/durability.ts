/** Section 4 of docs/SEMANTICS.md. */
import {constants} from 'node:fs';
import {mkdir, readFile, readdir, rmdir} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {
	closeHandle,
	eventually,
	objectText,
	openHandle,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_CREAT, O_RDWR, O_TRUNC, O_WRONLY} = constants;
const journal = {options: {durability: 'journal'}};
const write = async ({fileSystem}: VolumeNode, handle: number, content: string) =>
	fileSystem.write(handle, Buffer.from(content), 0);

/** Asserts that a call returns only after S3 has taken the file. */
const returnsAfterUpload = async (
	t: ExecutionContext,
	node: VolumeNode,
	call: (handle: number) => Promise<void>,
): Promise<void> => {
	const handle = await openHandle(node, 'file', O_CREAT | O_WRONLY);
	await write(node, handle, 'content');
	const fault = node.store.inject({method: 'put', key: 'file', isBlocked: true});
	let hasReturned = false;
	const returned = call(handle).then(() => {
		hasReturned = true;
	});
	await fault.reached;
	await delay(20);
	t.false(hasReturned);
	fault.remove();
	await returned;
	await node.fileSystem.release(handle);
};

test('4.1 With `durability: close`, `close()` returns when S3 has the file.', async t => {
	const {bucket, a} = await startNodes(t);
	await returnsAfterUpload(t, a, async handle => a.fileSystem.flush(handle));
	t.is(await objectText(bucket, 'file'), 'content');
});

test('4.2 With `durability: close`, `fsync()` returns when S3 has the file.', async t => {
	const {bucket, a} = await startNodes(t);
	await returnsAfterUpload(t, a, async handle => a.fileSystem.fsync(handle));
	t.is(await objectText(bucket, 'file'), 'content');
});

test('4.3 When S3 does not take the file, the `close()` or `fsync()` that waits for it fails.', async t => {
	const {a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'content');
	a.store.inject({method: 'put', error: 'accessDenied'});
	t.is(await errnoOf(a.fileSystem.fsync(handle)), 'EACCES');
	t.is(await closeHandle(a, handle), 'EACCES');
});

test('4.4 With `durability: journal`, `close()` and `fsync()` return when the journal on the local disk of the node has the file, and the upload follows.', async t => {
	const {bucket, a} = await startNodes(t, journal);
	const fault = a.store.inject({method: 'put', key: 'file', isBlocked: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'content');
	await a.fileSystem.fsync(handle);
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'file'), undefined);
	t.is(await readText(a.fs, 'file'), 'content');
	t.is(a.fileSystem.status().uploadsPending, 1);
	fault.remove();
	await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'content');
});

test('4.5 An upload that fails because S3 cannot be reached is tried again until it succeeds, also after a `close()` that reported the failure.', async t => {
	for (const options of [{}, journal]) {
		const {bucket, a} = await startNodes(t, options);
		const fault = a.store.inject({method: 'put', key: 'file', error: 'unavailable', countMax: 4});
		const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
		await write(a, handle, 'content');
		t.is(await closeHandle(a, handle), options === journal ? undefined : 'EIO');
		t.is(await readText(a.fs, 'file'), 'content', 'The node shows what it has');
		await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'content');
		t.is(fault.hitCount, 4);
	}
});

test('4.6 A refusal for good that no `close()` reported is reported by the next `fsync()` of the file, or by the next `open()` that is for writing and does not truncate.', async t => {
	for (const report of ['fsync', 'open'] as const) {
		const {bucket, a} = await startNodes(t, journal);
		a.store.inject({method: 'put', key: 'file', error: 'invalidRequest', countMax: 1});
		const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
		await write(a, handle, 'content');
		t.is(await errnoOf(a.fileSystem.flush(handle)), undefined);
		await eventually(t, 'it is refused', () => a.events.some(({event}) => event === 'upload failed'));
		const told = report === 'fsync' ? a.fileSystem.fsync(handle) : openHandle(a, 'file', O_RDWR);
		t.is(await errnoOf(told), 'EIO');
		const again = await openHandle(a, 'file', O_RDWR);
		t.is(await closeHandle(a, again), undefined);
		t.is(await closeHandle(a, handle), undefined);
		await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'content');
	}
});

test('an open that truncates takes no failure of what it replaces for its own', async t => {
	const {bucket, a} = await startNodes(t, journal);
	a.store.inject({method: 'put', key: 'file', error: 'invalidRequest', countMax: 1});
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	await write(a, handle, 'refused');
	t.is(await errnoOf(a.fileSystem.flush(handle)), undefined);
	await eventually(t, 'it is refused', () => a.events.some(({event}) => event === 'upload failed'));
	const replacing = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	await write(a, replacing, 'replaced');
	t.is(await closeHandle(a, replacing), undefined);
	t.is(await closeHandle(a, handle), undefined);
	await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'replaced');
});

test('4.7 Changes whose `close()` failed because S3 refuses them for good are dropped when nobody has the file open any more: it is again what S3 has then.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'file', 'old');
	const fault = a.store.inject({method: 'put', key: 'file', error: 'accessDenied'});
	const handle = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	await write(a, handle, 'new');
	t.is(await closeHandle(a, handle), 'EACCES');
	await eventually(t, 'nothing is dirty any more', () => a.fileSystem.status().dirtyBytes === 0);
	t.is(await readText(a.fs, 'file'), 'old');
	t.is(fault.hitCount, 2, 'One more attempt, in the background');
	await eventually(t, 'its room is free again', () => a.fileSystem.status().stagingBytes === 0);
});

test('4.8 Changes that S3 refuses for good, and of which no `close()` reported it, are kept in the directory `failed` of the staging directory, and the log names the file.', async t => {
	const {a} = await startNodes(t, journal);
	a.store.inject({method: 'put', key: 'file', error: 'invalidRequest'});
	await writeText(a.fs, 'file', 'precious');
	await eventually(t, 'the refusal is told', () =>
		a.events.some(event => event.event === 'upload failed' && event.keptAt !== undefined),
	);
	const event = a.events.find(({event}) => event === 'upload failed');
	if (event?.event !== 'upload failed') {
		throw new Error('Found above');
	}

	t.is(event.path, 'file');
	t.true(event.isFinal);
	t.true(event.keptAt?.startsWith(`${a.stagingDirectory}/failed/`));
	t.is(await readFile(event.keptAt ?? '', 'utf8'), 'precious');
});

test('4.9 When dirty bytes fill `staging-size`, `write()` fails with ENOSPC, and what was written before stays.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'staging-size': '64MiB'}});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	const half = Buffer.alloc(40 * 2 ** 20, 'x');
	await a.fileSystem.write(handle, half, 0);
	t.is(await errnoOf(a.fileSystem.write(handle, half, half.length)), 'ENOSPC');
	t.is(await closeHandle(a, handle), undefined);
	t.is((await bucket.head('file'))?.sizeBytes, half.length);
	t.is(a.fileSystem.status().stagingBytes, 0, 'The room is free again');
});

test('4.12 An `fsync()` or `close()` that could not write its journal fails, and so does each one after it until the journal or S3 has the file.', async t => {
	const {bucket, a} = await startNodes(t, journal);
	const fault = a.store.inject({method: 'put', key: 'file', isBlocked: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'content');
	const [data = ''] = await readdir(a.stagingDirectory);
	const record = join(a.stagingDirectory, data.replace('.data', '.json'));
	const obstacle = `${record}.tmp`;
	await mkdir(obstacle); // As good as a full disk: the record cannot be written.
	t.is(await errnoOf(a.fileSystem.fsync(handle)), 'EIO');
	await fault.reached; // The upload has begun all the same.
	t.is(await errnoOf(a.fileSystem.fsync(handle)), 'EIO');
	t.is(await errnoOf(a.fileSystem.flush(handle)), 'EIO');
	await rmdir(obstacle);
	t.is(await errnoOf(a.fileSystem.fsync(handle)), undefined);
	t.true((await readFile(record, 'utf8')).includes('"key":"file"'));
	await write(a, handle, 'CONTENT');
	const [, next = ''] = (await readdir(a.stagingDirectory)).filter(name => name.endsWith('.data')).toSorted();
	await mkdir(join(a.stagingDirectory, next.replace('.data', '.json.tmp')));
	t.is(await errnoOf(a.fileSystem.fsync(handle)), 'EIO');
	fault.remove();
	await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'CONTENT');
	await eventually(t, 'nothing waits', () => a.fileSystem.status().lastError === undefined);
	t.is(await errnoOf(a.fileSystem.fsync(handle)), undefined);
	t.is(await closeHandle(a, handle), undefined);
});

test('4.13 With `durability: close`, a `close()` or `fsync()` succeeds when S3 has the file, also when the journal could not be written.', async t => {
	const {bucket, a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	const content = Buffer.alloc(2 ** 19, 'x'); // Long enough for a record.
	await a.fileSystem.write(handle, content, 0);
	const [data = ''] = await readdir(a.stagingDirectory);
	await mkdir(join(a.stagingDirectory, data.replace('.data', '.json.tmp')));
	t.is(await closeHandle(a, handle), undefined);
	t.is((await bucket.head('file'))?.sizeBytes, content.length);
	t.is(a.fileSystem.status().stagingBytes, 0);
});

test('4.14 With `durability: journal`, no `fsync()`, `close()` or `open()` fails because an upload failed that is tried again.', async t => {
	for (const error of ['unavailable', 'timeout', 'throttled', 'badCredentials'] as const) {
		const {bucket, a} = await startNodes(t, journal);
		const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
		a.store.inject({method: 'put', key: 'file', error, countMax: 3});
		const next = a.store.inject({method: 'put', key: 'file', skipCount: 3, isBlocked: true});
		await write(a, handle, 'content');
		t.is(await errnoOf(a.fileSystem.flush(handle)), undefined);
		await eventually(t, 'it failed three times', () => a.fileSystem.status().uploadsFailed === 3);
		t.is(await errnoOf(a.fileSystem.fsync(handle)), undefined);
		const again = await openHandle(a, 'file', O_RDWR);
		await write(a, again, 'CONTENT');
		t.is(await errnoOf(a.fileSystem.fsync(again)), undefined);
		t.is(await closeHandle(a, again), undefined);
		t.is(await closeHandle(a, handle), undefined);
		t.not(a.fileSystem.status().lastError, undefined, 'The status tells of it');
		next.remove();
		await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'CONTENT');
	}
});

test('4.10 When a volume is unmounted, what is dirty is uploaded first.', async t => {
	const {bucket, a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'content');
	await a.fileSystem.drain(); // What the daemon does before it unmounts.
	t.is(await objectText(bucket, 'file'), 'content');
	await closeHandle(a, handle);
});

test('4.11 Closing a file that was not changed sends nothing to S3.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'file', 'content');
	const handle = await openHandle(a, 'file', O_RDWR);
	const before = a.store.callCount();
	t.is(await closeHandle(a, handle), undefined);
	t.is(a.store.callCount(), before);
});

test('4.16 Changes that no `close()` waits for stay in the journal while S3 does not allow their upload, and are uploaded when it does.', async t => {
	const {bucket, a} = await startNodes(t, journal);
	const fault = a.store.inject({method: 'put', key: 'file', error: 'accessDenied'});
	await writeText(a.fs, 'file', 'precious');
	await eventually(t, 'it is tried again and again', () => fault.hitCount > 2);
	t.false((await readdir(a.stagingDirectory)).includes('failed'));
	t.is(await readText(a.fs, 'file'), 'precious');
	fault.remove();
	await eventually(t, 'the file is in S3', async () => (await objectText(bucket, 'file')) === 'precious');
});

/** 2 GiB in small: the largest file whose metadata has checksums of its blocks. */
const large = {options: {'part-size': '5MiB'}, summedBytesMax: 20 * 2 ** 20};

/** Writes a file of 33 MiB, and waits until S3 has the six parts of it that are whole. */
const writeLarge = async (t: ExecutionContext, {fileSystem, store}: VolumeNode, handle: number): Promise<void> => {
	for (let index = 0; index < 33; index++) {
		await fileSystem.write(handle, Buffer.alloc(2 ** 20, String(index)), index * 2 ** 20);
	}

	await eventually(t, 'six parts are sent', () => store.callCount('uploadPart') === 6);
};

test('4.19 Of a file that is written from its start on and has more than 2 GiB, whole parts go to S3 while it is written, so that its `close()` or `fsync()` waits for the last few.', async t => {
	const {bucket, a} = await startNodes(t, large);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await writeLarge(t, a, handle);
	const before = a.store.calls.length;
	t.is(await closeHandle(a, handle), undefined);
	t.deepEqual(
		a.store.calls.slice(before).map(({method}) => method),
		['uploadPart', 'completeMultipartUpload'],
	);
	t.is((await bucket.head('file'))?.sizeBytes, 33 * 2 ** 20);
});

test('4.20 The modification time of such a file is the one that it had when its first part was sent, until it is closed or synced, or a program sets its times, mode, owner or extended attributes: then these are its attributes, and all parts are sent again.', async t => {
	const {bucket, a, b} = await startNodes(t, large);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await writeLarge(t, a, handle);
	const {mtimeNs} = await a.fileSystem.getattr({handle});
	await a.fileSystem.write(handle, Buffer.from('end'), 33 * 2 ** 20);
	t.is((await a.fileSystem.getattr({handle})).mtimeNs, mtimeNs);
	t.is(await closeHandle(a, handle), undefined);
	t.is((await b.fs.stat('file')).mtimeNs, mtimeNs);
	const again = await openHandle(a, 'other', O_CREAT | O_WRONLY);
	await a.fileSystem.write(again, Buffer.alloc(25 * 2 ** 20), 0);
	const sentAtNs = (await a.fileSystem.getattr({handle: again})).mtimeNs;
	await a.fileSystem.write(again, Buffer.from('end'), 25 * 2 ** 20);
	await a.fileSystem.chmod({handle: again}, 0o600);
	const other = await a.fileSystem.getattr({handle: again});
	t.true(other.mtimeNs > sentAtNs);
	t.is(await closeHandle(a, again), undefined);
	t.like(await b.fs.stat('other'), {permissions: 0o600, mtimeNs: other.mtimeNs});
	await eventually(t, 'no upload is left', () => bucket.openUploadCount === 0);
});
