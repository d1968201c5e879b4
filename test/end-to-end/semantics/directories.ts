/** Section 8, and the promises of sections 9, 10 and 12 that need no kernel, of docs/SEMANTICS.md. */
import {constants} from 'node:fs';
import test from 'ava';
import {planUpload, partCountMax, objectBytesMax} from '../../../src/upload/upload-plan.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {
	closeHandle,
	objectKeys,
	objectText,
	openHandle,
	readHandle,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_CREAT, O_EXCL, O_RDWR, O_WRONLY} = constants;

test('8.1 A listing has every name that is there all the time exactly once, whatever is made or deleted meanwhile.', async t => {
	const {bucket, a, b} = await startNodes(t);
	const names = Array.from({length: 2500}, (_, index) => `f${String(index).padStart(4, '0')}`);
	await Promise.all(names.map(async name => bucket.put(`dir/${name}`, Buffer.from('x'))));
	const listed: string[] = [];
	for await (const name of a.fs.walk('dir')) {
		listed.push(name);
		if (listed.length === 1 || listed.length === 1500) {
			await a.fs.unlink(`dir/f000${listed.length === 1 ? 0 : 1}`);
			await b.fs.unlink('dir/f2400').catch(() => undefined);
			await writeText(b.fs, `dir/f0500-${listed.length}`, 'new');
			await writeText(a.fs, `dir/f1700-${listed.length}`, 'new');
		}
	}

	const isStable = (name: string) => name.length === 5 && !['f0000', 'f0001', 'f2400'].includes(name);
	t.deepEqual(listed.filter(isStable), names.filter(isStable));
	t.is(new Set(listed).size, listed.length);
});

test('a directory that is open shows what changed since once it is read from its start again, and seekdir() finds each place', async t => {
	const {bucket, a} = await startNodes(t);
	const names = Array.from({length: 20_000}, (_, index) => `f${String(index).padStart(5, '0')}`);
	await Promise.all(names.map(async name => bucket.put(`dir/${name}`, new Uint8Array())));
	const handle = await a.fileSystem.opendir('dir');
	const readFrom = async (offset: number) => a.fileSystem.readdir(handle, offset);
	const seen = [];
	for (let entries = await readFrom(0); entries.length > 0; entries = await readFrom(seen.at(-1)?.nextOffset ?? 0)) {
		seen.push(...entries);
	}

	t.deepEqual(
		seen.map(({name}) => name),
		['.', '..', ...names],
	);
	for (const index of [19_000, 1500, 3]) {
		t.is((await readFrom(seen[index]!.nextOffset))[0]?.name, seen[index + 1]?.name); // There are more entries.
	}

	await bucket.put('dir/a', new Uint8Array());
	t.is((await readFrom(0))[2]?.name, 'a');
	await a.fileSystem.releasedir(handle);
});

const kindsIn = async ({fileSystem}: VolumeNode): Promise<Record<string, string>> => {
	const handle = await fileSystem.opendir('');
	const entries = await fileSystem.readdir(handle, 0);
	await fileSystem.releasedir(handle);
	return Object.fromEntries(entries.map(({name, kind}) => [name, kind]));
};

test('8.2 Listings tell directories and files of more than 4095 bytes from other entries; the kind of the others is DT_UNKNOWN while the node does not know it, and FILE with `attributes: uniform`.', async t => {
	const {bucket, start} = await startNodes(t);
	await bucket.put('dir/file', Buffer.from('x'));
	await bucket.put('file', Buffer.from('x'));
	await bucket.put('large', Buffer.alloc(4096));
	await bucket.put('largest link', Buffer.alloc(4095, 'x'), {metadata: {'file-permissions': '0120777'}});
	// What no link can be is a file, so that all calls say the same of it.
	await bucket.put('large link', Buffer.alloc(4096, 'x'), {metadata: {'file-permissions': '0120777'}});
	const posix = await start();
	t.like(await kindsIn(posix), {
		'.': 'directory',
		'..': 'directory',
		dir: 'directory',
		file: 'unknown',
		large: 'file',
		'largest link': 'unknown',
		'large link': 'file',
	});
	t.is((await posix.fileSystem.getattr({path: 'file'})).kind, 'file');
	t.is((await posix.fileSystem.getattr({path: 'largest link'})).kind, 'symlink');
	t.is((await posix.fileSystem.getattr({path: 'large link'})).kind, 'file');
	t.like(await kindsIn(posix), {file: 'file', 'largest link': 'symlink', 'large link': 'file'});
	t.like(await kindsIn(await start({options: {attributes: 'uniform'}})), {dir: 'directory', file: 'file'});
});

test('8.3 `rmdir()` fails with ENOTEMPTY when S3 has anything below the directory, whichever node put it there, and when this node has a new file in it.', async t => {
	const {a, b} = await startNodes(t);
	await a.fs.mkdir('dir');
	t.deepEqual(await a.fs.readdir('dir'), [], 'So the node believes that it is empty');
	await writeText(b.fs, 'dir/file', 'x');
	t.is(await errnoOf(a.fs.rmdir('dir')), 'ENOTEMPTY');
	await b.fs.unlink('dir/file');
	const handle = await openHandle(a, 'dir/new', O_CREAT | O_WRONLY);
	t.is(await errnoOf(a.fs.rmdir('dir')), 'ENOTEMPTY');
	await closeHandle(a, handle);
	await a.fs.unlink('dir/new');
	await a.fs.rmdir('dir');
	t.is(await errnoOf(a.fs.stat('dir')), 'ENOENT');
});

test('8.4 A file that another node makes in a directory while it is being removed is not lost: it stays, and the directory with it.', async t => {
	const {a, b, passMs} = await startNodes(t);
	await a.fs.mkdir('dir');
	const removal = a.store.inject({method: 'delete', key: 'dir/', isBlocked: true});
	const removed = a.fs.rmdir('dir');
	await removal.reached;
	await writeText(b.fs, 'dir/file', 'content');
	removal.remove();
	await removed;
	passMs(1000);
	for (const {fs} of [a, b]) {
		t.deepEqual(await fs.readdir('dir'), ['file']);
		t.is(await readText(fs, 'dir/file'), 'content');
	}
});

test('8.5 The root of the volume cannot be removed: EBUSY.', async t => {
	const {a} = await startNodes(t);
	t.is(await errnoOf(a.fs.rmdir('')), 'EBUSY');
});

test('9.3 A lock file that was deleted can be made again by any node at most `metadata-ttl` later.', async t => {
	const {a, b, passMs} = await startNodes(t);
	const lock = async (node: VolumeNode) =>
		errnoOf(openHandle(node, 'lock', O_CREAT | O_EXCL | O_WRONLY).then(async handle => closeHandle(node, handle)));
	t.is(await lock(a), undefined);
	t.is(await lock(b), 'EEXIST');
	await a.fs.unlink('lock');
	passMs(1000);
	t.is(await lock(b), undefined);
	t.is(await lock(a), 'EEXIST');
});

test('10.1 A symbolic link is an object whose body is its target.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await a.fs.symlink('../some where/else', 'link');
	t.is(await objectText(bucket, 'link'), '../some where/else');
	t.is((await b.fs.stat('link')).kind, 'symlink');
	t.is(await b.fs.readlink('link'), '../some where/else');
});

test('10.3 FIFOs, sockets and device nodes are empty objects that keep their kind.', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (const kind of ['fifo', 'socket', 'character-device', 'block-device'] as const) {
		await a.fileSystem.mknod(kind, {kind, permissions: 0o640, rdev: 259}, {uid: 0, gid: 0});
		t.is((await bucket.head(kind))?.sizeBytes, 0);
		t.like(await b.fs.stat(kind), {kind, permissions: 0o640});
	}

	t.is((await b.fileSystem.getattr({path: 'block-device'})).rdev, 259);
});

test('10.5 A file that was deleted on its node while it was open can be read and written until it is closed.', async t => {
	for (const isVersioned of [false, true]) {
		const {bucket, a} = await startNodes(t, {isVersioned});
		await writeText(a.fs, 'file', 'content');
		const handle = await openHandle(a, 'file', O_RDWR);
		await a.fs.unlink('file');
		t.is(await bucket.head('file'), undefined);
		t.is(await readHandle(a, handle), 'content');
		await a.fileSystem.write(handle, Buffer.from('CON'), 0);
		t.is(await readHandle(a, handle), 'CONtent');
		t.like(await a.fileSystem.getattr({handle}), {sizeBytes: 7, nlink: 0});
		t.is(await closeHandle(a, handle), undefined);
		t.is(a.fileSystem.status().stagingBytes, 0);
	}
});

test('10.6 What is written to a file after it was deleted never gets into S3.', async t => {
	const {bucket, a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	await a.fileSystem.write(handle, Buffer.from('before'), 0);
	await a.fs.unlink('file');
	await a.fileSystem.write(handle, Buffer.from('after'), 0);
	await a.fileSystem.fsync(handle);
	t.is(await closeHandle(a, handle), undefined);
	await a.fileSystem.drain();
	t.deepEqual(await objectKeys(bucket), []);
});

test('12.1 A file has 5 TiB at most.', async t => {
	const {a} = await startNodes(t);
	const handle = await openHandle(a, 'file', O_CREAT | O_RDWR);
	t.is(await errnoOf(a.fileSystem.truncate({handle}, objectBytesMax + 1)), 'EFBIG');
	t.is(await errnoOf(a.fileSystem.write(handle, Buffer.from('xy'), objectBytesMax - 1)), 'EFBIG');
	await a.fileSystem.truncate({handle}, objectBytesMax);
	t.is((await a.fileSystem.getattr({handle})).sizeBytes, 5 * 2 ** 40);
	await a.fileSystem.truncate({handle}, 0);
	t.is(await closeHandle(a, handle), undefined);
});

test('12.2 The size of the parts of an upload grows by itself, so that the 10,000 parts of S3 are enough for every size.', t => {
	for (const bytes of [80_000 * 2 ** 20, 2 ** 40, objectBytesMax]) {
		const plan = planUpload([{bytes, source: {kind: 'zero'}}], {partBytes: 8 * 2 ** 20});
		if (plan.kind !== 'multipart') {
			throw new Error(`${bytes} bytes do not fit into one request`);
		}

		t.true(plan.parts.length <= partCountMax);
		t.is(
			plan.parts.reduce((total, part) => total + (part.kind === 'send' ? part.bytes : part.end - part.start), 0),
			bytes,
		);
	}
});
