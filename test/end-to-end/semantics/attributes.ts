/** Section 7 of docs/SEMANTICS.md; what needs a kernel is in `on-mounts.ts`. */
import {constants} from 'node:fs';
import test from 'ava';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {closeHandle, objectText, openHandle, startNodes} from '../../support/volume-nodes.ts';

const {O_CREAT, O_WRONLY} = constants;
const path = 'file';
const times = {atime: 1_000_000_000_000_000_001n, mtime: 1_600_000_000_123_456_789n};

test('7.1 Mode, owner, group and times are kept in the metadata of the object, under the keys of AWS DataSync and FSx: `file-permissions`, `file-owner`, `file-group`, `file-mtime`, `file-atime`.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fs.chmod(path, 0o640);
	await a.fs.chown(path, 11, 22);
	await a.fileSystem.utimens({path}, times);
	t.deepEqual((await bucket.head(path))?.metadata, {
		'file-permissions': '0100640',
		'file-owner': '11',
		'file-group': '22',
		'file-mtime': `${times.mtime}ns`,
		'file-atime': `${times.atime}ns`,
	});
	t.like(await b.fs.stat(path), {permissions: 0o640, uid: 11, gid: 22, mtimeNs: times.mtime, atimeNs: times.atime});
});

test('7.2 Of the mode, the owner and the group, only what differs from the defaults of the volume is written.', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	t.deepEqual(Object.keys((await bucket.head(path))?.metadata ?? {}), ['file-mtime']);
	await a.fs.chmod(path, 0o600);
	await a.fs.chmod(path, 0o644);
	t.deepEqual(Object.keys((await bucket.head(path))?.metadata ?? {}), ['file-mtime']);
});

test('7.3 The attributes that s3fs, rclone, geesefs and gcsfuse wrote are read.', async t => {
	const {bucket, a} = await startNodes(t);
	const put = async (key: string, metadata: Record<string, string>) => bucket.put(key, Buffer.from('x'), {metadata});
	await put('s3fs', {mode: String(0o100_640), uid: '11', gid: '22', mtime: '1600000000.5'});
	await put('rclone', {mtime: '1600000000.123456789'});
	await put('geesefs', {mtime: '1600000000', uid: '33'});
	await put('gcsfuse', {
		'goog-reserved-posix-mode': '0100600',
		'goog-reserved-posix-uid': '44',
		'goog-reserved-file-mtime': '1600000000',
	});
	t.like(await a.fs.stat('s3fs'), {permissions: 0o640, uid: 11, gid: 22, mtimeNs: 1_600_000_000_500_000_000n});
	t.like(await a.fs.stat('rclone'), {mtimeNs: 1_600_000_000_123_456_789n});
	t.like(await a.fs.stat('geesefs'), {uid: 33, mtimeNs: 1_600_000_000_000_000_000n});
	t.like(await a.fs.stat('gcsfuse'), {permissions: 0o600, uid: 44, mtimeNs: 1_600_000_000_000_000_000n});
});

test('7.4 Modification times are kept to the nanosecond.', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fileSystem.utimens({path}, times);
	t.is((await b.fs.stat(path)).mtimeNs, times.mtime);
});

test('7.5 Changing the attributes of a file copies the object onto itself on the server, and never changes its bytes.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put(path, Buffer.from('content'));
	await a.fs.chmod(path, 0o600);
	await a.fs.chown(path, 1, 2);
	await a.fileSystem.utimens({path}, times);
	t.is(a.store.callCount('get', 'put', 'uploadPart'), 0);
	t.is(a.store.callCount('copy'), 3);
	t.is(await objectText(bucket, path), 'content');
});

test('7.6 The attributes of a file that is being written go to S3 with its bytes.', async t => {
	const {bucket, a} = await startNodes(t);
	const handle = await openHandle(a, path, O_CREAT | O_WRONLY);
	await a.fileSystem.write(handle, Buffer.from('content'), 0);
	await a.fileSystem.chmod({handle}, 0o600);
	await a.fs.chown(path, 11, 22);
	await a.fileSystem.utimens({handle}, times);
	t.is(await bucket.head(path), undefined);
	t.is(await closeHandle(a, handle), undefined);
	t.is(a.store.callCount('put', 'copy'), 1);
	t.like((await bucket.head(path))?.metadata, {
		'file-permissions': '0100600',
		'file-owner': '11',
		'file-group': '22',
		'file-mtime': `${times.mtime}ns`,
	});
});

test('7.7 The change time (ctime) is the modification time.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fileSystem.utimens({path}, times);
	t.is((await a.fileSystem.getattr({path})).ctimeNs, times.mtime);
});

test('7.8 Reading does not change the access time.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fileSystem.utimens({path}, times);
	t.is(await readText(a.fs, path), 'content');
	t.is((await a.fs.stat(path)).atimeNs, times.atime);
});

test('7.21 Writing to a file that S3 has does not change its access time, unless the volume has `attributes: uniform`.', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await writeText(a.fs, 'never set', 'content');
	await a.fileSystem.utimens({path}, times);
	const {atimeNs} = await a.fs.stat('never set');
	for (const name of [path, 'never set']) {
		const handle = await openHandle(a, name, O_WRONLY);
		await a.fileSystem.write(handle, Buffer.from('CONTENT, and more'), 0);
		await a.fileSystem.truncate({handle}, 9);
		t.is(await closeHandle(a, handle), undefined);
	}

	for (const node of [a, b]) {
		t.is((await node.fs.stat(path)).atimeNs, times.atime);
		t.is((await node.fs.stat('never set')).atimeNs, atimeNs);
		t.true((await node.fs.stat(path)).mtimeNs > times.mtime);
	}
});

test('7.9 The times of a directory do not change when its entries do.', async t => {
	const {a} = await startNodes(t);
	await a.fs.mkdir('dir');
	const {mtimeNs} = await a.fs.stat('dir');
	await writeText(a.fs, 'dir/file', 'x');
	await a.fs.rename('dir/file', 'dir/moved');
	await a.fs.unlink('dir/moved');
	t.is((await a.fs.stat('dir')).mtimeNs, mtimeNs);
});

test('7.10 The attributes of the root of the volume can be changed, and last until it is unmounted.', async t => {
	const {a, start} = await startNodes(t);
	await a.fs.chmod('', 0o1777);
	await a.fs.chown('', 11, 22);
	t.like(await a.fs.stat(''), {permissions: 0o1777, uid: 11, gid: 22});
	t.like(await (await start()).fs.stat(''), {permissions: 0o755, uid: 0, gid: 0}, 'As after the next mount');
});

test('7.11 Extended attributes of the namespace `user.` are kept; those of other namespaces cannot be set: EOPNOTSUPP.', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fileSystem.setxattr(path, 'user.note', Buffer.from([0, 255, 10]), 'create');
	await a.fs.mkdir('dir');
	await a.fileSystem.setxattr('dir', 'user.note', Buffer.from('of a directory'), 'either');
	t.deepEqual(await b.fileSystem.listxattr(path), ['user.note']);
	t.deepEqual(Buffer.from((await b.fileSystem.getxattr(path, 'user.note')) ?? []), Buffer.from([0, 255, 10]));
	t.is(Buffer.from((await b.fileSystem.getxattr('dir', 'user.note')) ?? []).toString(), 'of a directory');
	for (const name of ['trusted.note', 'security.selinux', 'system.posix_acl_access']) {
		t.is(await errnoOf(a.fileSystem.setxattr(path, name, Buffer.from('x'), 'either')), 'EOPNOTSUPP');
	}
});

test('7.12 All metadata of a file has 2048 bytes at most; setting more fails with ENOSPC.', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put(path, Buffer.from('content'), {metadata: {note: 'n'.repeat(500)}});
	await a.fileSystem.setxattr(path, 'user.one', Buffer.alloc(800), 'either');
	t.is(await errnoOf(a.fileSystem.setxattr(path, 'user.two', Buffer.alloc(800), 'either')), 'ENOSPC');
	t.deepEqual(await a.fileSystem.listxattr(path), ['user.one']);
	t.is(await objectText(bucket, path), 'content');
});

const uniform = {options: {attributes: 'uniform', uid: '11', gid: '22', 'file-mode': '0640', 'dir-mode': '0750'}};

test('7.13 With `attributes: uniform` all files have the owner and the mode of the volume and the time of their object, and changes of mode, owner or extended attributes fail.', async t => {
	const {bucket, a} = await startNodes(t, uniform);
	await bucket.put(path, Buffer.from('content'), {
		metadata: {'file-owner': '99', 'file-permissions': '0100777', 'file-mtime': '1ns'},
	});
	await a.fs.mkdir('dir', 0o777);
	const {lastModifiedMs = 0} = (await bucket.head(path)) ?? {};
	t.like(await a.fs.stat(path), {uid: 11, gid: 22, permissions: 0o640, mtimeNs: BigInt(lastModifiedMs) * 1_000_000n});
	t.like(await a.fs.stat('dir'), {uid: 11, gid: 22, permissions: 0o750});
	t.is(await errnoOf(a.fs.chmod(path, 0o600)), 'EPERM');
	t.is(await errnoOf(a.fs.chown(path, 1, 1)), 'EPERM');
	t.is(await errnoOf(a.fileSystem.setxattr(path, 'user.note', Buffer.from('x'), 'either')), 'EOPNOTSUPP');
});

test('7.14 With `attributes: uniform` setting times succeeds and does nothing.', async t => {
	const {bucket, a} = await startNodes(t, uniform);
	await bucket.put(path, Buffer.from('content'));
	const {mtimeNs} = await a.fs.stat(path);
	await a.fileSystem.utimens({path}, times);
	t.is((await a.fs.stat(path)).mtimeNs, mtimeNs);
	t.is(a.store.callCount('put', 'copy'), 0);
});

test('7.15 With an `fsGroup` all files and directories belong to that group, which can read and write them, without any object being changed.', async t => {
	const {bucket, a} = await startNodes(t, {fsGroup: 2000});
	await bucket.put('dir/file', Buffer.from('content'), {metadata: {'file-permissions': '0100600', 'file-group': '7'}});
	t.like(await a.fs.stat('dir/file'), {gid: 2000, permissions: 0o660});
	t.like(await a.fs.stat('dir'), {gid: 2000, permissions: 0o2775});
	t.like(await a.fs.stat(''), {gid: 2000, permissions: 0o2775});
	t.is(a.store.callCount('put', 'copy', 'delete'), 0);
	t.deepEqual((await bucket.head('dir/file'))?.metadata, {'file-permissions': '0100600', 'file-group': '7'});
});

test('7.16 `statfs()` always tells of 1 PiB, all of it free.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	const {blockBytes, blocksTotal, blocksFree} = a.fileSystem.statfs();
	t.deepEqual([blockBytes * blocksTotal, blockBytes * blocksFree], [2 ** 50, 2 ** 50]);
});

test('7.17 A file has one link, and a directory two.', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, path, 'content');
	await a.fs.mkdir('dir');
	await a.fs.mkdir('dir/sub');
	t.deepEqual([(await a.fs.stat(path)).nlink, (await a.fs.stat('dir')).nlink, (await a.fs.stat('')).nlink], [1, 2, 2]);
});

test('7.18 A new entry belongs to the user and the group of the process that made it; in a set-group-ID directory it gets the group of the directory, and a new directory the bit.', async t => {
	const {a, b} = await startNodes(t);
	const caller = {uid: 1000, gid: 1001};
	for (const [directory, permissions, gid] of [
		['plain', 0o777, 1001],
		['set-group-id', 0o2777, 50],
	] as const) {
		await a.fs.mkdir(directory);
		await a.fs.chown(directory, 0, 50);
		await a.fs.chmod(directory, permissions);
		await a.fileSystem.mkdir(`${directory}/sub`, 0o755, caller);
		await a.fileSystem.symlink('x', `${directory}/link`, caller);
		const {handle} = await a.fileSystem.open(
			`${directory}/file`,
			{read: false, write: true, append: false, truncate: false, create: true, exclusive: false},
			{permissions: 0o644, caller},
		);
		await closeHandle(a, handle);
		for (const name of ['sub', 'link', 'file']) {
			t.like(await b.fs.stat(`${directory}/${name}`), {uid: 1000, gid});
		}
	}

	t.is((await b.fs.stat('plain/sub')).permissions, 0o755);
	t.is((await b.fs.stat('set-group-id/sub')).permissions, 0o2755);
	t.is((await b.fs.stat('set-group-id/file')).permissions, 0o644);
});

test('7.20 When a node changes the attributes of a file while another node closes a change of its bytes, the file has the bytes that were closed, and the changed attributes.', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	const changes: ReadonlyArray<() => Promise<void> | undefined> = [
		async () => a.fs.chmod('file', 0o600),
		async () => a.fs.chown('file', 7, 8),
		() => a.fs.extended?.setxattr('file', 'user.note', 'kept', 'either'),
	];
	for (const [index, change] of changes.entries()) {
		await writeText(a.fs, 'file', 'old');
		const copy = a.store.inject({method: 'copy', isBlocked: true});
		const changed = change();
		await copy.reached;
		await writeText(b.fs, 'file', `written by b ${index}`);
		copy.remove();
		await changed;
		t.is(await objectText(bucket, 'file'), `written by b ${index}`);
		passMs(1000);
		t.is((await b.fs.stat('file')).sizeBytes, 14);
	}

	t.like(await b.fs.stat('file'), {permissions: 0o600, uid: 7, gid: 8});
	t.is((await b.fs.extended?.getxattr('file', 'user.note'))?.toString(), 'kept');
	t.is(a.fileSystem.status().conflicts + b.fileSystem.status().conflicts, 0);
});

test('attributes of a directory can be changed on a server that refuses every If-Match of a PUT', async t => {
	const {a} = await startNodes(t);
	await a.fs.mkdir('dir');
	const refusal = a.store.inject({method: 'put', key: 'dir/', error: 'preconditionFailed', countMax: 3});
	await a.fs.chmod('dir', 0o700);
	t.is(refusal.hitCount, 3);
	t.is((await a.fs.stat('dir')).permissions, 0o700);
});
