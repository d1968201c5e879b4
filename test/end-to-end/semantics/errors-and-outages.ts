/** Sections 11, 13 and 14 of docs/SEMANTICS.md. */
import {constants} from 'node:fs';
import {PutObjectCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import type {ErrnoName} from '../../../src/model/fs-error.ts';
import type {StoreErrorCode} from '../../../src/model/store-error.ts';
import {createTestClient} from '../../support/dev-server.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startTestS3Store} from '../../support/test-s3-store.ts';
import {
	closeHandle,
	eventually,
	objectText,
	openHandle,
	readHandle,
	startNode,
	startNodes,
} from '../../support/volume-nodes.ts';

const {O_CREAT, O_RDONLY, O_RDWR, O_WRONLY} = constants;

/** Asserts the errno of a look-up, a read and a close when S3 answers with this. */
const failsWith = async (t: ExecutionContext, code: StoreErrorCode, errno: ErrnoName): Promise<void> => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.from('content'));
	const [reader, writer] = [await openHandle(a, 'file', O_RDWR), await openHandle(a, 'new', O_CREAT | O_WRONLY)];
	await a.fileSystem.write(writer, Buffer.from('x'), 0);
	a.store.inject({error: code});
	t.is(await errnoOf(a.fs.stat('other')), errno);
	t.is(await errnoOf(readHandle(a, reader)), errno);
	t.is(await closeHandle(a, writer), errno);
	a.store.heal();
	await closeHandle(a, reader);
};

test('11.1 EACCES: S3 refuses the credentials, or does not let them do this.', async t => {
	await failsWith(t, 'accessDenied', 'EACCES');
	await failsWith(t, 'badCredentials', 'EACCES');
});

test('11.2 EAGAIN: S3 throttles, and did so through all attempts.', async t => {
	await failsWith(t, 'throttled', 'EAGAIN');
});

test('11.3 EFBIG: the file is, or would become, larger than S3 takes.', async t => {
	const {a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	t.is(await errnoOf(a.fileSystem.truncate({handle}, 6 * 2 ** 40)), 'EFBIG');
	await a.fileSystem.write(handle, Buffer.from('x'), 0);
	a.store.inject({method: 'put', error: 'tooLarge'});
	t.is(await closeHandle(a, handle), 'EFBIG');
});

test('11.4 EIO: S3 cannot be reached, does not answer in time, or contradicts itself.', async t => {
	await failsWith(t, 'unavailable', 'EIO');
	await failsWith(t, 'timeout', 'EIO');
	await failsWith(t, 'corrupt', 'EIO');
});

test('11.5 ENXIO: the bucket is gone.', async t => {
	await failsWith(t, 'noSuchBucket', 'ENXIO');
});

test('11.6 ENOENT: what the call needs is gone from S3.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.from('content'));
	t.is((await a.fs.stat('file')).sizeBytes, 7);
	await bucket.delete('file');
	t.is(await errnoOf(a.fs.open('file', O_RDONLY)), 'ENOENT');
	t.is(await errnoOf(a.fs.rename('file', 'new')), 'ENOENT');
	t.is(await errnoOf(a.fs.chmod('file', 0o600)), 'ENOENT');
});

test('11.7 EROFS: the volume is read-only; nothing was sent to S3.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'read-only': 'true'}});
	await bucket.put('dir/file', Buffer.from('content'));
	t.is(await readText(a.fs, 'dir/file'), 'content');
	const before = a.store.callCount();
	const {fs} = a;
	for (const change of [
		fs.open('dir/file', O_RDWR),
		fs.truncate('dir/file', 0),
		fs.mkdir('new'),
		fs.rmdir('dir'),
		fs.unlink('dir/file'),
		fs.rename('dir', 'new'),
		fs.symlink('x', 'new'),
		fs.chmod('dir/file', 0o600),
		fs.chown('dir/file', 1, 1),
		a.fileSystem.setxattr('dir/file', 'user.x', Buffer.from('x'), 'either'),
	]) {
		t.is(await errnoOf(change), 'EROFS');
	}

	t.is(a.store.callCount(), before);
	t.is(await errnoOf(fs.open('new', O_CREAT | O_WRONLY)), 'EROFS');
	t.is(a.store.callCount('put', 'copy', 'delete', 'deleteMany', 'createMultipartUpload'), 0);
});

test('11.8 An object that is archived (GLACIER, DEEP_ARCHIVE) is listed, and reading it fails with EACCES.', async t => {
	const {store, server, bucket} = await startTestS3Store(t);
	const client = createTestClient(t, {endpoint: server.endpoint});
	await client.send(new PutObjectCommand({Bucket: bucket, Key: 'archived', Body: 'content', StorageClass: 'GLACIER'}));
	const node = await startNode(t, store);
	t.deepEqual(await node.fs.readdir(''), ['archived']);
	t.is((await node.fs.stat('archived')).sizeBytes, 7);
	t.is(await errnoOf(readText(node.fs, 'archived')), 'EACCES');
});

test('12.4 A file with 131072 separate changes that no `close()` or `fsync()` has taken yet is uploaded as if it were synced then.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.alloc(300_000, 'x'));
	const handle = await openHandle(a, 'file', O_RDWR);
	const punch = async (count: number) =>
		a.fileSystem.fallocate(handle, {
			offset: count * 2,
			length: 1,
			keepSize: true,
			punchHole: true,
			zeroRange: false,
			otherFlags: false,
		});
	for (let count = 0; count < 131_071; count++) {
		await punch(count);
	}

	t.is(a.fileSystem.status().uploadsPending, 0);
	await punch(131_071);
	await punch(131_072);
	t.is(a.fileSystem.status().uploadsPending, 1);
	const expected = '\0x'.repeat(131_072).padEnd(300_000, 'x');
	await eventually(t, 'S3 has all but the last', async () => (await objectText(bucket, 'file')) === expected);
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'file'), '\0x'.repeat(131_073).padEnd(300_000, 'x'));
	t.is(a.fileSystem.status().stagingBytes, 0);
});

test('13.1 Other S3 clients see a file as it was, or as it was closed or synced, never a part of it.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'part-size': '5MiB'}});
	await bucket.put('file', Buffer.from('old'));
	const content = Buffer.alloc(12 * 2 ** 20, 'n');
	const handle = await openHandle(a, 'file', O_RDWR);
	await a.fileSystem.write(handle, content, 0);
	t.is(await objectText(bucket, 'file'), 'old');
	const completion = a.store.inject({method: 'completeMultipartUpload', isBlocked: true});
	const closed = closeHandle(a, handle);
	await completion.reached;
	t.is(await objectText(bucket, 'file'), 'old', 'All parts are there');
	completion.remove();
	t.is(await closed, undefined);
	t.is(await objectText(bucket, 'file'), content.toString());
});

test('13.2 With `durability: close`, every `close()` or `fsync()` after a change makes one new version of the object.', async t => {
	const {a} = await startNodes(t, {isVersioned: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	for (let offset = 0; offset < 10; offset++) {
		await a.fileSystem.write(handle, Buffer.from('x'), offset);
	}

	await a.fileSystem.fsync(handle);
	t.is(a.store.callCount('put'), 1);
	await a.fileSystem.fsync(handle);
	t.is(a.store.callCount('put'), 1, 'Nothing changed since');
	await a.fileSystem.write(handle, Buffer.from('y'), 0);
	t.is(await closeHandle(a, handle), undefined);
	t.is(a.store.callCount('put'), 2);
});

test('13.3 In a bucket with versioning, deleting a file leaves its versions there.', async t => {
	const {bucket, a} = await startNodes(t, {isVersioned: true});
	await writeText(a.fs, 'file', 'content');
	const head = await bucket.head('file');
	await a.fs.unlink('file');
	t.is(await bucket.head('file'), undefined);
	t.is((await bucket.get('file', {versionId: head?.versionId}))?.object.sizeBytes, 7);
});

test('13.4 An upload in parts that fails leaves no parts behind.', async t => {
	const {bucket, a} = await startNodes(t, {options: {'part-size': '5MiB'}});
	a.store.inject({method: 'uploadPart', skipCount: 1, error: 'accessDenied'});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await a.fileSystem.write(handle, Buffer.alloc(12 * 2 ** 20), 0);
	t.is(await closeHandle(a, handle), 'EACCES');
	await eventually(t, 'nothing is dirty any more', () => a.fileSystem.status().dirtyBytes === 0);
	t.is(a.store.callCount('createMultipartUpload') > 0 ? bucket.openUploadCount : undefined, 0);
	t.is(await bucket.head('file'), undefined);
});

test('14.1 The root of the volume and `statfs()` answer from memory.', async t => {
	const {a} = await startNodes(t);
	a.store.inject({isBlocked: true});
	const before = a.store.callCount();
	t.is((await a.fs.stat('')).kind, 'directory');
	t.is(a.fileSystem.statfs().blockBytes, 4096);
	t.is(a.store.callCount(), before);
});

test('the names that the root shows while S3 is away do not say what is absent when it is back', async t => {
	const {bucket, a, passMs} = await startNodes(t, {options: {consistency: 'ttl'}});
	await bucket.put('one', Buffer.from('x'));
	t.deepEqual(await a.fs.readdir(''), ['one']);
	passMs(10_000);
	await bucket.put('two', Buffer.from('x'));
	const outage = a.store.inject({error: 'unavailable'});
	t.deepEqual(await a.fs.readdir(''), ['one']);
	outage.remove();
	t.like(await a.fs.stat('two'), {sizeBytes: 1});
});

test('14.2 The root shows the names that it had when S3 was last reached.', async t => {
	const {bucket, a, start, passMs} = await startNodes(t);
	await bucket.put('one', Buffer.from('x'));
	t.deepEqual(await a.fs.readdir(''), ['one']);
	const fresh = await start();
	await bucket.put('two', Buffer.from('x'));
	passMs(10_000);
	for (const node of [a, fresh]) {
		node.store.inject({error: 'unavailable'});
		t.deepEqual(await node.fs.readdir(''), ['one']);
	}
});

test('14.3 Every call that needs S3 fails when `timeout` is over, also when S3 takes the connection and never answers.', async t => {
	const {store, server} = await startTestS3Store(t, {timeoutMs: 5000});
	await store.put('file', Buffer.from('content'));
	const node = await startNode(t, store, {options: {timeout: '5s'}});
	server.faults.stalls = [{when: 'before'}];
	const writer = await openHandle(node, 'new', O_CREAT | O_WRONLY).catch(() => undefined);
	t.is(writer, undefined, 'Whether the name is free has to be asked');
	const outcomes = await Promise.all(
		[node.fs.stat('file'), node.fs.open('file', O_RDONLY), node.fs.mkdir('dir'), node.fs.unlink('file')].map(errnoOf),
	);
	t.deepEqual(outcomes, ['EIO', 'EIO', 'EIO', 'EIO']);
	server.faults.stalls = [];
	await eventually(t, 'it works again', async () => (await errnoOf(node.fs.stat('file'))) === undefined);
	t.is(await readText(node.fs, 'file'), 'content');
});

test('14.4 Files that are open can be written, and read where the node has their bytes.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.from('content'));
	const handle = await openHandle(a, 'file', O_RDWR);
	t.is(await readHandle(a, handle), 'content');
	a.store.inject({error: 'unavailable'});
	await a.fileSystem.write(handle, Buffer.from(' and more'), 7);
	t.is(await readHandle(a, handle), 'content and more');
	a.store.heal();
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'file'), 'content and more');
});

test('14.5 When S3 is back the volume works again, without a restart.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('file', Buffer.from('content'));
	a.store.inject({error: 'unavailable'});
	t.is(await errnoOf(a.fs.stat('file')), 'EIO');
	t.is(await errnoOf(a.fs.mkdir('dir')), 'EIO');
	a.store.heal();
	t.is(await readText(a.fs, 'file'), 'content');
	await a.fs.mkdir('dir');
	t.deepEqual(await a.fs.readdir(''), ['dir', 'file']);
});
