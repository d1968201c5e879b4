import {constants} from 'node:fs';
import test from 'ava';
import {readText, writeText} from '../../support/fs-text.ts';
import {
	closeHandle,
	objectText,
	openHandle,
	readHandle,
	startNodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY} = constants;

const write = async ({fileSystem}: VolumeNode, handle: number, text: string, offset = 0): Promise<number> =>
	fileSystem.write(handle, Buffer.from(text), offset);

for (const isVersioned of [true, false]) {
	test(`open() that finds a version of another node while a handle writes mixes nothing, ${isVersioned ? 'versioned' : 'unversioned'}`, async t => {
		const {bucket, a, b, passMs} = await startNodes(t, {isVersioned});
		await writeText(b.fs, 'file', 'first version');
		const writer = await openHandle(a, 'file', O_RDWR);
		await writeText(b.fs, 'file', 'SECOND VERSION, WHICH IS LONGER');
		passMs(5000);
		const fault = a.store.inject({method: 'head', key: 'file', isBlocked: true});
		const opening = openHandle(a, 'file', O_RDONLY);
		await fault.reached;
		await write(a, writer, 'FIRST');
		fault.remove();
		await a.fileSystem.release(await opening);
		const errno = await closeHandle(a, writer);
		if (isVersioned) {
			t.is(errno, undefined);
			t.is(await objectText(bucket, 'file'), 'FIRST version');
			t.is(a.fileSystem.status().conflicts, 1);
		} else {
			t.is(errno, 'ESTALE');
			t.is(await objectText(bucket, 'file'), 'SECOND VERSION, WHICH IS LONGER');
		}
	});
}

test('fsync() of many handles of one file returns only when S3 has what was written before it', async t => {
	const {bucket, a} = await startNodes(t);
	await writeText(a.fs, 'file', '.'.repeat(80));
	await Promise.all(
		Array.from({length: 8}, async (_, index) => {
			const handle = await openHandle(a, 'file', O_RDWR);
			for (let round = 0; round < 25; round++) {
				const text = `${index}:${round.toString().padStart(3, '0')}`;
				await write(a, handle, text, index * 10);
				await a.fileSystem.fsync(handle);
				t.is((await objectText(bucket, 'file'))?.slice(index * 10, index * 10 + 5), text);
			}

			await closeHandle(a, handle);
		}),
	);
	t.is(a.fileSystem.status().conflicts, 0);
	t.is(a.fileSystem.status().stagingBytes, 0);
});

test('bytes that are appended while an append of before moves follow it', async t => {
	const {bucket, a, b, passMs} = await startNodes(t);
	await writeText(b.fs, 'log', 'base ');
	const handle = await openHandle(a, 'log', O_WRONLY | O_APPEND);
	const fault = a.store.inject({method: 'put', key: 'log', isBlocked: true, countMax: 1});
	await write(a, handle, 'a1 ');
	const syncing = a.fileSystem.fsync(handle);
	await fault.reached;
	passMs(5000);
	const other = await openHandle(b, 'log', O_WRONLY | O_APPEND);
	await write(b, other, 'b1 ');
	t.is(await closeHandle(b, other), undefined);
	await write(a, handle, 'a2 ');
	fault.remove();
	await syncing;
	await write(a, handle, 'a3 ');
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'log'), 'base b1 a1 a2 a3 ');
	passMs(5000);
	t.is(await readText(a.fs, 'log'), 'base b1 a1 a2 a3 ');
});

for (const otherChange of ['appends', 'deletes'] as const) {
	test(`a change at an offset, made while an append of before meets another node that ${otherChange}, wins with the whole version that its node saw`, async t => {
		const {bucket, a, b, passMs} = await startNodes(t, {isVersioned: true});
		await writeText(b.fs, 'log', 'base ');
		const [appender, writer] = [await openHandle(a, 'log', O_WRONLY | O_APPEND), await openHandle(a, 'log', O_RDWR)];
		const fault = a.store.inject({method: 'put', key: 'log', isBlocked: true, countMax: 1});
		await write(a, appender, 'a1 ');
		const syncing = a.fileSystem.fsync(appender);
		await fault.reached;
		passMs(5000);
		if (otherChange === 'deletes') {
			await b.fileSystem.unlink('log');
		} else {
			const other = await openHandle(b, 'log', O_WRONLY | O_APPEND);
			await write(b, other, 'b1 ');
			await closeHandle(b, other);
		}

		await write(a, writer, 'B');
		fault.remove();
		await syncing;
		t.is(await readHandle(a, writer), 'Base a1 ');
		t.is(await closeHandle(a, writer), undefined);
		t.is(await objectText(bucket, 'log'), 'Base a1 ');
		t.is(a.fileSystem.status().conflicts, 1);
		await closeHandle(a, appender);
	});
}

test('a file that is written from its start, with fsync() on the way, is never put behind what another node wrote', async t => {
	const {bucket, a, b, passMs} = await startNodes(t, {isVersioned: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'first half, ');
	await a.fileSystem.fsync(handle);
	passMs(5000);
	await writeText(b.fs, 'file', 'something else altogether');
	await write(a, handle, 'second half', 12);
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'file'), 'first half, second half');
});

test('appends of two nodes at the same time are all there, once each', async t => {
	const {bucket, a, b} = await startNodes(t, {options: {'metadata-ttl': '0s'}});
	await writeText(a.fs, 'log', '');
	const append = async (node: VolumeNode, line: string) => {
		const handle = await openHandle(node, 'log', O_WRONLY | O_APPEND | O_CREAT);
		await write(node, handle, line);
		return closeHandle(node, handle);
	};

	const lines: string[] = [];
	for (let round = 0; round < 20; round++) {
		const pair = [`a${round}\n`, `b${round}\n`];
		lines.push(...pair);
		// Two were made above.
		t.deepEqual(await Promise.all([append(a, pair[0]!), append(b, pair[1]!)]), [undefined, undefined]);
	}

	t.deepEqual(
		(await objectText(bucket, 'log'))
			?.split('\n')
			.filter(line => line !== '')
			.toSorted(),
		lines.map(line => line.trim()).toSorted(),
	);
});

test('appends of twelve nodes at once are all there', async t => {
	const {bucket, start} = await startNodes(t);
	const nodes = await Promise.all(Array.from({length: 12}, async () => start()));
	const handles = await Promise.all(nodes.map(async node => openHandle(node, 'log', O_WRONLY | O_APPEND | O_CREAT)));
	const results = await Promise.all(
		nodes.map(async (node, index) => {
			await write(node, handles[index]!, `line ${index}\n`); // One handle for each node.
			return closeHandle(node, handles[index]!);
		}),
	);
	t.deepEqual(
		results,
		nodes.map(() => undefined),
	);
	t.is((await objectText(bucket, 'log'))?.split('\n').length, 13);
});

test('an append whose answer is lost is there once, with another node appending meanwhile', async t => {
	for (const attributes of ['posix', 'uniform']) {
		const {bucket, a, b, passMs} = await startNodes(t, {options: {attributes}});
		await writeText(b.fs, 'log', 'base ');
		const [handle, other] = [
			await openHandle(a, 'log', O_WRONLY | O_APPEND),
			await openHandle(b, 'log', O_WRONLY | O_APPEND),
		];
		await write(b, other, 'b1 ');
		await closeHandle(b, other);
		passMs(5000);
		a.store.inject({method: 'put', key: 'log', when: 'after', error: 'timeout', countMax: 2});
		await write(a, handle, 'a1 ');
		t.is(await closeHandle(a, handle), 'EIO');
		await a.fileSystem.drain();
		t.is(await objectText(bucket, 'log'), 'base b1 a1 ', attributes);
		t.is(a.fileSystem.status().stagingBytes, 0);
	}
});

test('a close() that meets a racing write of the same name is tried again', async t => {
	const {bucket, a} = await startNodes(t);
	const fault = a.store.inject({method: 'put', key: 'file', error: 'preconditionFailed', countMax: 2});
	await writeText(a.fs, 'file', 'content');
	t.is(fault.hitCount, 2);
	t.is(await objectText(bucket, 'file'), 'content');
	t.is(a.fileSystem.status().conflicts, 0);
});

for (const isVersioned of [true, false]) {
	test(`what is written below an append that moved goes where it belongs, ${isVersioned ? 'versioned' : 'unversioned'}`, async t => {
		const {bucket, a, b, passMs} = await startNodes(t, {isVersioned});
		await writeText(b.fs, 'log', 'base ');
		const appender = await openHandle(a, 'log', O_WRONLY | O_APPEND);
		const other = await openHandle(a, 'log', O_RDWR);
		const fault = a.store.inject({method: 'put', key: 'log', isBlocked: true, countMax: 1});
		await write(a, appender, 'one ');
		const syncing = a.fileSystem.fsync(appender);
		await fault.reached;
		await write(a, appender, 'two ');
		passMs(5000);
		const elsewhere = await openHandle(b, 'log', O_WRONLY | O_APPEND);
		await write(b, elsewhere, 'a long line of another node ');
		t.is(await closeHandle(b, elsewhere), undefined);
		fault.remove();
		await syncing;
		await write(a, other, 'BASE');
		await write(a, other, 'A', 5);
		const expected = 'BASE A long line of another node one two ';
		t.is(await readHandle(a, other, 0, 100), expected);
		t.is(await closeHandle(a, other), undefined);
		t.is(await closeHandle(a, appender), undefined);
		t.is(await objectText(bucket, 'log'), expected);
		t.is(a.fileSystem.status().stagingBytes, 0);
	});
}

test('an open log that was moved by an append elsewhere can be deleted and read on', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(b.fs, 'log', 'base ');
	const handle = await openHandle(a, 'log', O_RDWR | O_APPEND);
	const fault = a.store.inject({method: 'put', key: 'log', isBlocked: true, countMax: 1});
	await write(a, handle, 'one ');
	const syncing = a.fileSystem.fsync(handle);
	await fault.reached;
	await write(a, handle, 'two ');
	passMs(5000);
	const elsewhere = await openHandle(b, 'log', O_WRONLY | O_APPEND);
	await write(b, elsewhere, 'a long line of another node ');
	t.is(await closeHandle(b, elsewhere), undefined);
	fault.remove();
	await syncing;
	await a.fileSystem.unlink('log');
	t.is(await readHandle(a, handle, 0, 100), 'base a long line of another node one two ');
	await closeHandle(a, handle);
	t.is(a.fileSystem.status().stagingBytes, 0);
});

for (const title of ['open for reading', 'open for reading and writing'] as const) {
	test(`${title} whose answer from S3 is older than a change of this node has the change`, async t => {
		const {bucket, a} = await startNodes(t);
		await writeText(a.fs, 'file', 'version 1 content');
		const flags = title === 'open for reading' ? O_RDONLY : O_RDWR;
		const writer = await openHandle(a, 'file', O_RDWR);
		const fault = a.store.inject({method: ['head', 'get'], key: 'file', isBlocked: true, when: 'after', countMax: 1});
		const opening = openHandle(a, 'file', flags);
		await fault.reached;
		await write(a, writer, 'VERSION 2');
		await a.fileSystem.fsync(writer);
		fault.remove();
		const late = await opening;
		t.is(await readHandle(a, late), 'VERSION 2 content');
		t.is(await readHandle(a, writer), 'VERSION 2 content', 'It reads its own synced bytes');
		if (flags === O_RDWR) {
			await write(a, late, '!', 16);
		}

		t.is(await closeHandle(a, late), undefined);
		t.is(await closeHandle(a, writer), undefined);
		t.is(await objectText(bucket, 'file'), flags === O_RDWR ? 'VERSION 2 conten!' : 'VERSION 2 content');
	});
}

test('open() with O_TRUNC of an empty file with changes changes its time', async t => {
	const {a} = await startNodes(t);
	const first = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await a.fileSystem.utimens({handle: first}, {atime: 1n, mtime: 1n});
	const second = await openHandle(a, 'file', O_TRUNC | O_WRONLY);
	t.true((await a.fileSystem.getattr({path: 'file'})).mtimeNs > 1n);
	t.is(await closeHandle(a, second), undefined);
	t.is(await closeHandle(a, first), undefined);
	t.true((await a.fileSystem.getattr({path: 'file'})).mtimeNs > 1n);
});
