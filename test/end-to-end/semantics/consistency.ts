/** Section 5 of docs/SEMANTICS.md. */
import {constants} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {readText, writeText} from '../../support/fs-text.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {
	closeHandle,
	objectText,
	openHandle,
	readHandle,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY} = constants;
const metadataTtlMs = 1000;
const write = async ({fileSystem}: VolumeNode, handle: number, content: string, offset = 0) =>
	fileSystem.write(handle, Buffer.from(content), offset);

test('5.1 With `durability: close`, an `open()` that comes after a `close()` on another node sees what was closed there.', async t => {
	const {a, b} = await startNodes(t);
	for (const [writer, reader, content] of [
		[a, b, 'first'],
		[b, a, 'second, longer'],
		[a, b, '3rd'],
		[b, a, 'III'],
	] as const) {
		await writeText(writer.fs, 'file', content);
		t.is(await readText(reader.fs, 'file'), content, 'No time passed in between');
	}
});

test('5.2 Attributes and listings of what other nodes or other S3 clients changed are at most `metadata-ttl` old.', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'one');
	await writeText(a.fs, 'deleted', 'x');
	t.is((await b.fs.stat('file')).sizeBytes, 3);
	t.deepEqual(await b.fs.readdir(''), ['deleted', 'file']);
	t.is(await errnoOf(b.fs.stat('later')), 'ENOENT');
	await writeText(a.fs, 'file', 'three');
	await a.fs.chmod('file', 0o600);
	await a.fs.unlink('deleted');
	await bucket.put('later', Buffer.from('by another client'));
	passMs(metadataTtlMs);
	t.like(await b.fs.stat('file'), {sizeBytes: 5, permissions: 0o600});
	t.is(await errnoOf(b.fs.stat('deleted')), 'ENOENT');
	t.is((await b.fs.stat('later')).sizeBytes, 17);
	t.deepEqual(await b.fs.readdir(''), ['file', 'later']);
});

test('5.3 A node sees its own changes at once.', async t => {
	const {a} = await startNodes(t);
	t.is(await errnoOf(a.fs.stat('dir')), 'ENOENT');
	t.deepEqual(await a.fs.readdir(''), []);
	await a.fs.mkdir('dir');
	await writeText(a.fs, 'dir/file', 'x');
	t.deepEqual(await a.fs.readdir(''), ['dir']);
	t.deepEqual(await a.fs.readdir('dir'), ['file']);
	await a.fs.chmod('dir/file', 0o640);
	t.is((await a.fs.stat('dir/file')).permissions, 0o640);
	await a.fs.rename('dir/file', 'moved');
	t.deepEqual(await a.fs.readdir('dir'), []);
	t.is((await a.fs.stat('moved')).permissions, 0o640);
	await a.fs.unlink('moved');
	await a.fs.rmdir('dir');
	t.deepEqual(await a.fs.readdir(''), []);
	t.is(await errnoOf(a.fs.stat('moved')), 'ENOENT');
});

test('5.4 A new file is on other nodes from its first `close()` or `fsync()` on, not before.', async t => {
	const {a, b, passMs} = await startNodes(t);
	const [closed, synced] = [
		await openHandle(a, 'closed', O_CREAT | O_WRONLY),
		await openHandle(a, 'synced', O_CREAT | O_WRONLY),
	];
	await write(a, closed, 'x');
	await write(a, synced, 'x');
	t.deepEqual(await b.fs.readdir(''), []);
	t.is(await errnoOf(b.fs.stat('closed')), 'ENOENT');
	await closeHandle(a, closed);
	await a.fileSystem.fsync(synced);
	passMs(metadataTtlMs);
	t.deepEqual(await b.fs.readdir(''), ['closed', 'synced']);
	await closeHandle(a, synced);
});

test('5.5 A file made with O_EXCL, a directory, a symbolic link and a node of `mknod()` are on other nodes when the call returns.', async t => {
	const {a, b} = await startNodes(t);
	const handle = await openHandle(a, 'exclusive', O_CREAT | O_EXCL | O_WRONLY);
	await a.fs.mkdir('directory');
	await a.fs.symlink('target', 'symlink');
	await a.fileSystem.mknod('fifo', {kind: 'fifo', permissions: 0o600, rdev: 0}, {uid: 0, gid: 0});
	t.is((await b.fs.stat('exclusive')).kind, 'file');
	t.is((await b.fs.stat('directory')).kind, 'directory');
	t.is((await b.fs.stat('symlink')).kind, 'symlink');
	t.is((await b.fs.stat('fifo')).kind, 'fifo');
	await closeHandle(a, handle);
});

test('5.6 A read returns bytes of one version of the file, never a mixture.', async t => {
	const {bucket, a} = await startNodes(t);
	const blockBytes = 2 ** 20;
	await bucket.put('file', Buffer.alloc(24 * blockBytes, 'x'));
	const handle = await openHandle(a, 'file', O_RDONLY);
	t.is(await readHandle(a, handle), 'x'.repeat(4096));
	await bucket.put('file', Buffer.alloc(24 * blockBytes, 'y'));
	let staleCount = 0;
	for (let block = 23; block >= 0; block--) {
		let answer = '';
		const errno = await errnoOf(
			readHandle(a, handle, block * blockBytes - (block === 0 ? 0 : 2048)).then(text => {
				answer = text;
			}),
		);
		t.true(errno === 'ESTALE' || (errno === undefined && answer === 'x'.repeat(4096)), errno);
		staleCount += errno === 'ESTALE' ? 1 : 0;
	}

	t.true(staleCount > 0, 'Not all of it was in memory, so the test sees what it is for');
	await closeHandle(a, handle);
	t.is((await readText(a.fs, 'file')).replaceAll('y', ''), '', 'A new open has the new version');
});

test('5.7 A reader keeps the version that it opened; when that version is gone from S3, or a newer one was opened on the same node, its reads fail with ESTALE.', async t => {
	const {a, b} = await startNodes(t);
	for (const name of ['replaced', 'deleted', 'reopened']) {
		await writeText(a.fs, name, 'old content');
	}

	// For writing, too: the open of a small file for reading brings its bytes along.
	const [replaced, deleted, reopened] = [
		await openHandle(b, 'replaced', O_RDWR),
		await openHandle(b, 'deleted', O_RDWR),
		await openHandle(b, 'reopened', O_RDONLY),
	];
	t.is(await readHandle(b, reopened, 0, 3), 'old');
	await writeText(a.fs, 'replaced', 'new content');
	await a.fs.unlink('deleted');
	await writeText(a.fs, 'reopened', 'new content');
	t.is(await errnoOf(readHandle(b, replaced)), 'ESTALE');
	t.is(await errnoOf(readHandle(b, deleted)), 'ESTALE');
	t.is(await readHandle(b, reopened, 4, 3), 'con', 'The node has these bytes');
	t.is(await readText(b.fs, 'reopened'), 'new content');
	t.is(await errnoOf(readHandle(b, reopened, 4, 3)), 'ESTALE');
});

const sentence57 =
	'5.7 A reader keeps the version that it opened; when that version is gone from S3, or a newer one was opened on the same node, its reads fail with ESTALE.';

test(`${sentence57} (copy_file_range)`, async t => {
	const {a, b} = await startNodes(t, {isVersioned: true, options: {'part-size': '5MiB'}});
	const content = (letter: string): string => letter.repeat(12 * 2 ** 20);
	await writeText(a.fs, 'file', content('x'));
	const source = await openHandle(b, 'file', O_RDONLY);
	const destination = await openHandle(b, 'copy', O_CREAT | O_RDWR);
	const copy = async (offset: number, length: number) =>
		b.fileSystem.copyFileRange({handle: source, offset}, {handle: destination, offset}, length);
	t.is(await copy(0, 4096), 4096);
	await writeText(a.fs, 'file', content('y'));
	t.is(await copy(4096, 5 * 2 ** 20), 5 * 2 ** 20, 'The version that was opened is there yet');
	t.is((await readText(b.fs, 'file')).slice(0, 1), 'y');
	t.is(await errnoOf(copy(4096, 5 * 2 ** 20)), 'ESTALE', 'A copy on the server');
	t.is(await errnoOf(copy(4096, 100)), 'ESTALE', 'A copy through the node');
	t.is(await closeHandle(b, destination), undefined);
	t.is((await readText(b.fs, 'copy')).replaceAll('x', ''), '');
});

test(`${sentence57} (a read that waits meanwhile)`, async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, 'file', 'x'.repeat(3 * 2 ** 20));
	const handle = await openHandle(b, 'file', O_RDONLY);
	t.is(await readHandle(b, handle, 0, 4), 'xxxx');
	const fault = b.store.inject({method: 'get', key: 'file', isBlocked: true, countMax: 1});
	const reading = errnoOf(readHandle(b, handle, 2 * 2 ** 20, 4));
	await fault.reached;
	await writeText(a.fs, 'file', 'y'.repeat(3 * 2 ** 20));
	const newer = await openHandle(b, 'file', O_RDONLY);
	fault.remove();
	t.is(await reading, 'ESTALE');
	t.is(await readHandle(b, newer, 2 * 2 ** 20, 4), 'yyyy');
});

test(`${sentence57} (one whose first read ends when a shorter version is open already)`, async t => {
	const {a, b} = await startNodes(t, {isVersioned: true});
	await writeText(a.fs, 'file', 'x'.repeat(3 * 2 ** 20));
	const handle = await openHandle(b, 'file', O_RDWR);
	const fault = b.store.inject({method: 'get', key: 'file', isBlocked: true, countMax: 1});
	const reading = readHandle(b, handle, 4, 4);
	await fault.reached;
	await writeText(a.fs, 'file', 'y'.repeat(5));
	await openHandle(b, 'file', O_RDWR);
	fault.remove();
	t.is(await reading, 'xxxx');
	t.is(await errnoOf(readHandle(b, handle, 8, 4)), 'ESTALE', 'Not the end of the file');
});

const sentence59 =
	'5.9 A reader that has reached the end of a file goes on when the file grows on another node, at most `metadata-ttl` later: `tail -f` works.';

/** A reader on b that stands at the end of ten bytes, and asks S3 for more while a writes and b opens what it wrote. */
const readAtEndMeanwhile = async (t: ExecutionContext, answered: string, opened: string) => {
	const {a, b, passMs} = await startNodes(t, {isVersioned: true});
	await writeText(a.fs, 'file', 'x'.repeat(10));
	const handle = await openHandle(b, 'file', O_RDWR);
	t.is((await readHandle(b, handle)).length, 10);
	passMs(2000);
	await writeText(a.fs, 'file', answered);
	const late = b.store.inject({method: 'head', key: 'file', isBlocked: true, when: 'after', countMax: 1});
	const reading = readHandle(b, handle, 10).catch((error: unknown) => error);
	await late.reached;
	await writeText(a.fs, 'file', opened);
	const newer = await openHandle(b, 'file', O_RDWR);
	late.remove();
	return {b, read: await reading, newer};
};

test(`${sentence59} (into the version that another open found meanwhile)`, async t => {
	const {read} = await readAtEndMeanwhile(t, 'x'.repeat(20), `${'x'.repeat(20)}y`);
	t.is(read, `${'x'.repeat(10)}y`);
});

test(`${sentence59} (a late answer takes nothing from an open of a newer, shorter version)`, async t => {
	const {b, newer} = await readAtEndMeanwhile(t, 'y'.repeat(30), 'z'.repeat(20));
	t.is(await readHandle(b, newer), 'z'.repeat(20));
});

test(`${sentence57} (one that stood at the end of a longer version)`, async t => {
	const {a, b} = await startNodes(t, {isVersioned: true});
	await writeText(a.fs, 'file', 'x'.repeat(10));
	const handle = await openHandle(b, 'file', O_RDONLY);
	t.is((await readHandle(b, handle)).length, 10);
	await writeText(a.fs, 'file', 'y'.repeat(5));
	t.is(await readText(b.fs, 'file'), 'yyyyy');
	t.is(await readHandle(b, handle, 10), '', 'Its end is where it was');
	t.is(await errnoOf(readHandle(b, handle, 0, 5)), 'ESTALE');
});

test('5.8 In a bucket with versioning a reader keeps its version also when the file is replaced or deleted elsewhere, until a newer one is opened on the same node.', async t => {
	const {a, b} = await startNodes(t, {isVersioned: true});
	await writeText(a.fs, 'replaced', 'old content');
	await writeText(a.fs, 'deleted', 'old content');
	const [replaced, deleted] = [await openHandle(b, 'replaced', O_RDONLY), await openHandle(b, 'deleted', O_RDONLY)];
	await writeText(a.fs, 'replaced', 'new');
	await a.fs.unlink('deleted');
	t.is(await readHandle(b, replaced), 'old content');
	t.is(await readHandle(b, deleted), 'old content');
	t.is(await readText(b.fs, 'replaced'), 'new');
	t.is(await errnoOf(readHandle(b, replaced, 0, 3)), 'ESTALE');
});

test('5.9 A reader that has reached the end of a file goes on when the file grows on another node, at most `metadata-ttl` later: `tail -f` works.', async t => {
	const {a, b, passMs} = await startNodes(t);
	const append = async (line: string) => {
		const handle = await openHandle(a, 'log', O_CREAT | O_APPEND | O_WRONLY);
		await write(a, handle, line);
		await closeHandle(a, handle);
	};

	await append('one\n');
	const tail = await openHandle(b, 'log', O_RDONLY);
	t.is(await readHandle(b, tail), 'one\n');
	t.is(await readHandle(b, tail, 4), '');
	await append('two\n');
	await append('three\n');
	passMs(metadataTtlMs);
	t.is(await readHandle(b, tail, 4), 'two\nthree\n');
	t.is((await b.fileSystem.getattr({handle: tail})).sizeBytes, 14);
	await append('four\n');
	passMs(metadataTtlMs);
	t.is(
		await readHandle(b, tail),
		'one\ntwo\nthree\nfour\n',
		'As the kernel asks: for the whole page that the end is in',
	);
	await closeHandle(b, tail);
});

test(`${sentence59} (written on by its first writer, and by another S3 client)`, async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	const writer = await openHandle(a, 'log', O_CREAT | O_WRONLY);
	await write(a, writer, 'one\n');
	await a.fileSystem.fsync(writer);
	const tail = await openHandle(b, 'log', O_RDONLY);
	t.is(await readHandle(b, tail), 'one\n');
	await write(a, writer, 'two\n', 4);
	await a.fileSystem.fsync(writer);
	passMs(metadataTtlMs);
	t.is(await readHandle(b, tail, 4), 'two\n');
	await bucket.put('log', Buffer.from('one\ntwo\nthree\n'));
	passMs(metadataTtlMs);
	t.is(await readHandle(b, tail, 8), 'three\n');
	t.is((await b.fileSystem.getattr({handle: tail})).sizeBytes, 14);
});

test(`${sentence59} (by appends, of which all are known, without a look at what was read)`, async t => {
	const {a, b, passMs} = await startNodes(t);
	const bytes = 3 * 2 ** 20;
	await writeText(a.fs, 'log', 'x'.repeat(bytes));
	const tails = [await openHandle(b, 'log', O_RDONLY), await openHandle(b, 'log', O_RDONLY)] as const;
	for (const tail of tails) {
		t.is(await readHandle(b, tail, bytes - 4), 'xxxx');
	}

	for (const text of ['first', 'second']) {
		const handle = await openHandle(a, 'log', O_APPEND | O_WRONLY);
		await write(a, handle, text);
		await closeHandle(a, handle);
	}

	await a.fs.chmod('log', 0o600);
	passMs(metadataTtlMs);
	const before = b.store.callCount();
	for (const tail of tails) {
		t.is(await readHandle(b, tail, bytes, 16), 'firstsecond');
	}

	t.is(b.store.callCount() - before, 2, 'A look-up, and the bytes that were appended');
});

const sentence518 =
	'5.19 A reader at the end of a file does not go on in a longer one that has replaced it: it stays at its end, and its reads fail with ESTALE once that one was opened on the same node.';

test('5.19 A reader at the end of a file does not go on in a longer one that has replaced it: it stays at its end, and its reads fail with ESTALE once that one was opened on the same node.', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'old content');
	const reader = await openHandle(b, 'file', O_RDONLY);
	t.is(await readHandle(b, reader), 'old content');
	await writeText(a.fs, 'file', 'a newer and longer content');
	passMs(metadataTtlMs);
	t.is(await readHandle(b, reader, 11), '');
	t.is((await b.fs.stat('file')).sizeBytes, 26);
	t.is((await b.fileSystem.getattr({handle: reader})).sizeBytes, 11);
	t.is(await readHandle(b, reader, 0), 'old content', 'The node has these bytes');
	t.is(await readText(b.fs, 'file'), 'a newer and longer content');
	t.is(await errnoOf(readHandle(b, reader, 11)), 'ESTALE');
	t.is(await errnoOf(b.fileSystem.getattr({handle: reader})), 'ESTALE');
});

test(`${sentence518} (a large one, by rename, with bytes that are gone from S3 and from the node)`, async t => {
	const {a, b, passMs} = await startNodes(t);
	const bytes = 3 * 2 ** 20;
	await writeText(a.fs, 'file', 'x'.repeat(bytes));
	// For writing, too, so that it has seen the end and no bytes.
	const reader = await openHandle(b, 'file', O_RDWR);
	t.is(await readHandle(b, reader, bytes), '');
	await writeText(a.fs, 'other', 'x'.repeat(bytes + 1));
	await a.fs.rename('other', 'file');
	passMs(metadataTtlMs);
	t.is(await readHandle(b, reader, bytes), '');
	t.is(await readText(b.fs, 'file').then(text => text.length), bytes + 1);
	t.is(await errnoOf(readHandle(b, reader, bytes)), 'ESTALE');
});

test('5.10 When two nodes append to one file at the same time, the bytes of both are kept, in the order in which they were closed.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await writeText(a.fs, 'old', 'start\n');
	for (const name of ['old', 'new']) {
		const [first, second] = [
			await openHandle(a, name, O_CREAT | O_APPEND | O_WRONLY),
			await openHandle(b, name, O_CREAT | O_APPEND | O_WRONLY),
		];
		await write(b, second, 'from b\n');
		await write(a, first, 'from a\n');
		t.is(await closeHandle(a, first), undefined);
		t.is(await closeHandle(b, second), undefined);
	}

	t.is(await objectText(bucket, 'old'), 'start\nfrom a\nfrom b\n');
	t.is(await objectText(bucket, 'new'), 'from a\nfrom b\n');
	t.is(b.fileSystem.status().conflicts, 0);
});

test('5.11 When two nodes change one file otherwise, the last `close()` wins with its whole version, and the conflict is counted and logged.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await writeText(a.fs, 'file', 'old');
	const [first, second] = [
		await openHandle(a, 'file', O_TRUNC | O_WRONLY),
		await openHandle(b, 'file', O_TRUNC | O_WRONLY),
	];
	await write(a, first, 'the content of a');
	await write(b, second, 'b wins');
	t.is(await closeHandle(a, first), undefined);
	t.is(await closeHandle(b, second), undefined);
	t.is(await objectText(bucket, 'file'), 'b wins');
	t.deepEqual([a.fileSystem.status().conflicts, b.fileSystem.status().conflicts], [0, 1]);
	t.deepEqual(b.events, [{event: 'conflict', path: 'file'}]);
	t.is(await readText(a.fs, 'file'), 'b wins');
});

test('5.12 When a node changed part of a file and the other bytes of that version are gone from S3 meanwhile, its `close()` fails with ESTALE.', async t => {
	const {bucket, a, b} = await startNodes(t);
	await writeText(a.fs, 'file', 'old content');
	const handle = await openHandle(b, 'file', O_RDWR);
	await write(b, handle, 'OLD');
	await writeText(a.fs, 'file', 'new content');
	t.is(await closeHandle(b, handle), 'ESTALE');
	t.is(await objectText(bucket, 'file'), 'new content');
});

test('5.13 Of all nodes that create one file with O_EXCL, or one directory, at the same time, exactly one succeeds, and the others get EEXIST.', async t => {
	const {a, b, start} = await startNodes(t);
	const nodes = [a, b, await start(), await start()];
	const outcomes = ['EEXIST', 'EEXIST', 'EEXIST', undefined];
	t.deepEqual(
		(
			await Promise.all(nodes.map(async node => errnoOf(openHandle(node, 'lock', O_CREAT | O_EXCL | O_WRONLY))))
		).toSorted(),
		outcomes,
	);
	t.deepEqual((await Promise.all(nodes.map(async ({fs}) => errnoOf(fs.mkdir('lock.d'))))).toSorted(), outcomes);
});

test('5.14 A file that was deleted elsewhere while it was written here comes back when it is closed; with what was appended, if it was only appended to.', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (const [name, flags, expected] of [
		['written', O_TRUNC | O_WRONLY, 'new'],
		['appended', O_APPEND | O_WRONLY, 'new'],
	] as const) {
		await writeText(a.fs, name, 'old');
		const handle = await openHandle(b, name, flags);
		await write(b, handle, 'new');
		await a.fs.unlink(name);
		t.is(await objectText(bucket, name), undefined);
		t.is(await closeHandle(b, handle), undefined);
		t.is(await objectText(bucket, name), expected);
		t.is(await readText(b.fs, name), expected);
	}
});

test('5.15 With `consistency: ttl` an `open()` may see a version that is at most `metadata-ttl` old, and asks S3 for nothing that the node knows.', async t => {
	const {a, start, passMs} = await startNodes(t);
	const node = await start({options: {consistency: 'ttl'}});
	await writeText(a.fs, 'file', 'old');
	t.is(await readText(node.fs, 'file'), 'old');
	await writeText(a.fs, 'file', 'new');
	const before = node.store.callCount();
	t.is(await readText(node.fs, 'file'), 'old');
	t.is(node.store.callCount(), before);
	passMs(metadataTtlMs);
	t.is(await readText(node.fs, 'file'), 'new');
});

test('5.16 What was appended is in the file once, also when the answer of S3 was lost and other nodes appended to the file before the node asked again.', async t => {
	const {bucket, a, b} = await startNodes(t);
	const append = async (node: typeof a, text: string): Promise<string | undefined> => {
		const handle = await openHandle(node, 'log', O_WRONLY | O_APPEND | O_CREAT);
		await node.fileSystem.write(handle, Buffer.from(text), 0);
		return closeHandle(node, handle);
	};

	await append(a, 'first\n');
	const lost = a.store.inject({method: 'put', key: 'log', when: 'after', error: 'unavailable', countMax: 1});
	const again = a.store.inject({method: 'put', key: 'log', skipCount: 1, isBlocked: true});
	t.is(await append(a, 'of a\n'), 'EIO');
	await again.reached;
	t.is(lost.hitCount, 1);
	await append(b, 'of b\n');
	await b.fs.chmod('log', 0o600);
	await append(b, 'of b again\n');
	again.remove();
	t.is(await append(a, 'of a again\n'), undefined);
	await a.fileSystem.drain();
	t.is(await objectText(bucket, 'log'), 'first\nof a\nof b\nof b again\nof a again\n');
	t.is(a.fileSystem.status().conflicts, 0);
	t.is(await readText(a.fs, 'log'), 'first\nof a\nof b\nof b again\nof a again\n');
});

test('5.20 A change through an open file fails with ESTALE once a newer version was opened on the same node, but an append goes behind the end of that one.', async t => {
	const {bucket, a, b} = await startNodes(t, {isVersioned: true, options: {'part-size': '5MiB'}});
	await writeText(a.fs, 'file', 'old content');
	await writeText(b.fs, 'source', 'x'.repeat(6 * 2 ** 20));
	const source = await openHandle(b, 'source', O_RDONLY);
	const [writer, appender] = [await openHandle(b, 'file', O_RDWR), await openHandle(b, 'file', O_APPEND | O_RDWR)];
	await writeText(a.fs, 'file', 'new content');
	t.is(await readText(b.fs, 'file'), 'new content');
	const range = {offset: 0, length: 20, keepSize: false, zeroRange: true, punchHole: false, otherFlags: false};
	const copy = async (length: number) =>
		b.fileSystem.copyFileRange({handle: source, offset: 0}, {handle: writer, offset: 0}, length);
	for (const [what, change] of Object.entries({
		write: write(b, writer, 'OLD'),
		'write at the end': write(b, writer, 'OLD', 11),
		'write of a page': b.fileSystem.write(appender, Buffer.from('OLD'), 0, {writepage: true}),
		ftruncate: b.fileSystem.truncate({handle: writer}, 0),
		'ftruncate to a larger size': b.fileSystem.truncate({handle: appender}, 100),
		fallocate: b.fileSystem.fallocate(writer, range),
		'a copy through the node': copy(100),
		'a copy on the server': copy(6 * 2 ** 20),
	})) {
		t.is(await errnoOf(change), 'ESTALE', what);
	}

	t.is(await closeHandle(b, writer), undefined, 'Nothing was changed');
	t.is(await objectText(bucket, 'file'), 'new content');
	await write(b, appender, ', more');
	t.is(await errnoOf(readHandle(b, appender)), 'ESTALE', 'It has not opened the version that it appends to');
	t.is(await closeHandle(b, appender), undefined);
	t.is(await objectText(bucket, 'file'), 'new content, more');
	t.is(b.fileSystem.status().conflicts, 0);
});

test('5.20 A change through an open file fails with ESTALE once a newer version was opened on the same node, but an append goes behind the end of that one. (one that waits meanwhile)', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'start');
	const [writer, reader] = [await openHandle(b, 'file', O_WRONLY), await openHandle(b, 'file', O_RDONLY)];
	t.is(await readHandle(b, reader), 'start');
	const copy = b.store.inject({method: 'copy', key: 'file', isBlocked: true, countMax: 1});
	const chmod = b.fs.chmod('file', 0o600);
	await copy.reached;
	const writing = errnoOf(write(b, writer, 'START'));
	const appender = await openHandle(a, 'file', O_APPEND | O_WRONLY);
	await write(a, appender, ', and more');
	await closeHandle(a, appender);
	passMs(metadataTtlMs);
	t.is(await readHandle(b, reader, 5), ', and more');
	copy.remove();
	await chmod;
	t.is(await writing, 'ESTALE');
	t.is(await closeHandle(b, writer), undefined);
	t.is(await objectText(bucket, 'file'), 'start, and more');
});

test('a writer that opened with O_TRUNC replaces the file whatever a reader finds meanwhile', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'start');
	const reader = await openHandle(b, 'file', O_RDONLY);
	t.is(await readHandle(b, reader), 'start');
	const writer = await openHandle(b, 'file', O_TRUNC | O_WRONLY);
	await writeText(a.fs, 'file', 'start, and more');
	passMs(metadataTtlMs);
	await readHandle(b, reader, 5);
	t.is(await readText(b.fs, 'file'), '');
	await write(b, writer, 'b wins');
	t.is(await closeHandle(b, writer), undefined);
	t.is(await objectText(bucket, 'file'), 'b wins');
	t.is(await readText(a.fs, 'file'), 'b wins');
});

test('the handles of a file outlast a change of its attributes on another node, whatever that does to the etag', async t => {
	const {bucket, a, b} = await startNodes(t, {options: {'part-size': '5MiB'}});
	await writeText(a.fs, 'file', 'x'.repeat(6 * 2 ** 20));
	const file = await openHandle(b, 'file', O_RDWR);
	const before = await bucket.head('file');
	await a.fs.chmod('file', 0o600);
	t.not((await bucket.head('file'))?.etag, before?.etag, 'S3 made one part of two');
	t.is((await readText(b.fs, 'file')).length, 6 * 2 ** 20);
	t.is(await readHandle(b, file, 0, 3), 'xxx');
	await write(b, file, 'X');
	t.is(await closeHandle(b, file), undefined);
	t.is((await objectText(bucket, 'file'))?.slice(0, 3), 'Xxx');
});

test('a change on top of an append whose answer was lost is not mixed with what others made of the file since', async t => {
	const {bucket, a, b} = await startNodes(t, {options: {durability: 'journal'}});
	await bucket.put('log', Buffer.from('first\n'));
	const handle = await openHandle(a, 'log', O_RDWR);
	a.store.inject({method: 'put', key: 'log', when: 'after', error: 'unavailable', countMax: 1});
	const again = a.store.inject({method: 'put', key: 'log', skipCount: 1, isBlocked: true});
	await a.fileSystem.write(handle, Buffer.from('of a\n'), 6);
	await a.fileSystem.fsync(handle);
	await again.reached;
	const other = await openHandle(b, 'log', O_WRONLY | O_APPEND);
	await b.fileSystem.write(other, Buffer.from('of b\n'), 0);
	await closeHandle(b, other);
	await b.fileSystem.drain();
	await a.fileSystem.write(handle, Buffer.from('FIRST'), 0);
	again.remove();
	await closeHandle(a, handle);
	await a.fileSystem.drain();
	t.is(await objectText(bucket, 'log'), 'first\nof a\nof b\n');
});
