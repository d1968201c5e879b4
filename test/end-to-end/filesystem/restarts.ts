import {constants} from 'node:fs';
import {cp, readFile, readdir, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createFaultyObjectStore} from '../../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {readJournal, writeJournalRecord} from '../../../src/upload/journal.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {readText, writeText} from '../../support/fs-text.ts';
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

const {O_APPEND, O_CREAT, O_WRONLY} = constants;
const journal = {options: {durability: 'journal'}};

/** What a crash of the node leaves at this moment. */
const crash = async (t: ExecutionContext, {stagingDirectory}: VolumeNode): Promise<{stagingDirectory: string}> => {
	const left = await createStagingDirectory(t);
	await cp(stagingDirectory, left, {recursive: true});
	return {stagingDirectory: left};
};

const write = async ({fileSystem}: VolumeNode, handle: number, text: string, offset = 0): Promise<number> =>
	fileSystem.write(handle, Buffer.from(text), offset);

test('a crash between the uploads of two synced states of a file loses neither', async t => {
	const {bucket, a, start} = await startNodes(t, journal);
	const second = a.store.inject({method: 'put', key: 'file', skipCount: 1, isBlocked: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	const first = a.store.inject({method: 'put', key: 'file', countMax: 1, isBlocked: true});
	await write(a, handle, 'first state, ');
	await a.fileSystem.fsync(handle);
	await write(a, handle, 'second state', 13);
	await a.fileSystem.fsync(handle);
	first.release();
	await second.reached;
	t.is(await objectText(bucket, 'file'), 'first state, ');
	const restarted = await start({...journal, ...(await crash(t, a))});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'first state, second state');
	t.deepEqual(
		restarted.events.map(({event}) => event),
		['recovered'],
	);
	t.is(restarted.fileSystem.status().conflicts, 0);
});

test('a start shows the attributes of the state that was synced last, and keeps them with what is written then', async t => {
	const {bucket, a} = await startNodes(t, journal);
	a.store.inject({method: 'put', key: 'file', isBlocked: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	await write(a, handle, 'one');
	await a.fileSystem.fsync(handle);
	await a.fileSystem.chmod({handle}, 0o751);
	await write(a, handle, 'two');
	await a.fileSystem.fsync(handle);
	const slow = createFaultyObjectStore(bucket);
	const upload = slow.inject({method: 'put', isBlocked: true});
	const restarted = await startNode(t, slow, {...journal, ...(await crash(t, a))});
	await upload.reached;
	t.is((await restarted.fileSystem.getattr({path: 'file'})).permissions, 0o751);
	const again = await openHandle(restarted, 'file', O_WRONLY);
	await write(restarted, again, 'three');
	await closeHandle(restarted, again);
	upload.remove();
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), 'three');
	t.is((await restarted.fileSystem.getattr({path: 'file'})).permissions, 0o751);
});

test('how long an upload waits is counted from its close, whatever was written down anew since', async t => {
	const {a, start} = await startNodes(t, journal);
	a.store.inject({method: 'put', key: 'file', isBlocked: true});
	const handle = await openHandle(a, 'file', O_CREAT | O_WRONLY);
	for (const text of ['one', 'two']) {
		await write(a, handle, text);
		await a.fileSystem.fsync(handle);
	}

	const left = await crash(t, a);
	for (const record of (await readJournal(left.stagingDirectory)).records) {
		await writeJournalRecord(left.stagingDirectory, {...record, sealedAtMs: 1000});
	}

	const bucket = createMemoryObjectStore();
	const slow = createFaultyObjectStore(bucket);
	const second = slow.inject({method: 'put', key: 'file', skipCount: 1, isBlocked: true});
	const restarted = await startNode(t, slow, {...journal, ...left});
	await second.reached;
	t.deepEqual(
		(await readJournal(left.stagingDirectory)).records.map(({sealedAtMs}) => sealedAtMs),
		[1000],
	);
	t.true(restarted.fileSystem.status().oldestUploadAgeMs! > 365 * 24 * 3_600_000); // There is one that waits.
	await restarted.fileSystem.close();
	const again = await start({...journal, ...left});
	await again.fileSystem.drain();
});

test('an append that moved and was stored just before the crash is there once', async t => {
	const {bucket, a, b, passMs, start} = await startNodes(t, journal);
	await writeText(b.fs, 'log', 'base ');
	await b.fileSystem.drain();
	passMs(5000);
	const handle = await openHandle(a, 'log', O_WRONLY | O_APPEND);
	const other = await openHandle(b, 'log', O_WRONLY | O_APPEND);
	await write(b, other, 'b1 ');
	await closeHandle(b, other);
	await b.fileSystem.drain();
	const lost = a.store.inject({method: 'put', key: 'log', when: 'after', error: 'unavailable'});
	// The node dies before it learns.
	const retry = a.store.inject({method: 'head', key: 'log', skipCount: 1, isBlocked: true});
	await write(a, handle, 'a1 ');
	await closeHandle(a, handle);
	await lost.reached;
	await eventually(t, 'S3 has both', async () => (await objectText(bucket, 'log')) === 'base b1 a1 ');
	await retry.reached;
	const restarted = await start({...journal, ...(await crash(t, a))});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'log'), 'base b1 a1 ');
	t.is(restarted.fileSystem.status().stagingBytes, 0);
});

test('an append is not taken for stored because another node appended as many bytes, with uniform attributes', async t => {
	const options = {durability: 'journal', attributes: 'uniform'};
	const {bucket, a, b, passMs, start} = await startNodes(t, {options});
	await writeText(b.fs, 'log', 'base ');
	await b.fileSystem.drain();
	passMs(5000);
	a.store.inject({method: 'put', key: 'log', isBlocked: true});
	const [handle, other] = [
		await openHandle(a, 'log', O_WRONLY | O_APPEND),
		await openHandle(b, 'log', O_WRONLY | O_APPEND),
	];
	await write(a, handle, 'a1 ');
	await closeHandle(a, handle);
	await write(b, other, 'b1 ');
	await closeHandle(b, other);
	await b.fileSystem.drain();
	const restarted = await start({options, ...(await crash(t, a))});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'log'), 'base b1 a1 ');
});

test('what cannot be read of a journal is reported and kept, and the rest is uploaded', async t => {
	const {bucket, a} = await startNodes(t, journal);
	const fault = a.store.inject({method: 'put', isBlocked: true});
	for (const name of ['whole', 'torn', 'cut', 'orphan']) {
		await writeText(a.fs, name, `content of ${name}`);
	}

	const left = await crash(t, a);
	const recordOf = async (name: string): Promise<string> => {
		for (const file of (await readdir(left.stagingDirectory)).filter(candidate => candidate.endsWith('.json'))) {
			if ((await readFile(join(left.stagingDirectory, file), 'utf8')).includes(`"key":"${name}"`)) {
				return join(left.stagingDirectory, file);
			}
		}

		throw new Error(`The journal has no ${name}`);
	};

	const [torn, cut, orphan] = [await recordOf('torn'), await recordOf('cut'), await recordOf('orphan')];
	await truncate(torn, 50);
	await truncate(cut.replace(/json$/, 'data'), 3);
	await writeFile(orphan, (await readFile(orphan, 'utf8')).replace('"key":"orphan"', '"key":"foreign"'));
	await writeFile(join(left.stagingDirectory, '00000000000001-0000000000.data'), 'never synced');
	await writeFile(join(left.stagingDirectory, '00000000000001-0000000000.json.tmp'), 'half');
	const restarted = await startNode(t, bucket, {...journal, ...left});
	await restarted.fileSystem.drain();
	t.is(await objectText(bucket, 'whole'), 'content of whole');
	t.deepEqual(await Promise.all(['torn', 'cut', 'orphan', 'foreign'].map(async key => objectText(bucket, key))), [
		undefined,
		undefined,
		undefined,
		undefined,
	]);
	t.is(restarted.events.filter(({event}) => event === 'journal damaged').length, 3);
	t.deepEqual(
		(await readdir(left.stagingDirectory)).toSorted(),
		[torn, cut, orphan]
			.flatMap(record => [record, record.replace(/json$/, 'data')])
			.map(file => file.slice(left.stagingDirectory.length + 1))
			.toSorted(),
	);
	fault.remove();
});

test('what a start finds in the journal counts as staging space until it is uploaded', async t => {
	const {bucket, a} = await startNodes(t, journal);
	a.store.inject({method: 'put', isBlocked: true});
	await writeText(a.fs, 'file', 'x'.repeat(1000));
	const slow = createFaultyObjectStore(bucket);
	const fault = slow.inject({method: 'put', isBlocked: true});
	const restarted = await startNode(t, slow, {...journal, ...(await crash(t, a))});
	t.is(restarted.fileSystem.status().stagingBytes, 4096 + 256, 'One block, and one change');
	t.is(restarted.fileSystem.status().dirtyBytes, 1000);
	t.is(await readText(restarted.fs, 'file'), 'x'.repeat(1000));
	fault.remove();
	await restarted.fileSystem.drain();
	t.is(restarted.fileSystem.status().stagingBytes, 0);
});

test('drain() ends when the file system is closed, and says what is left', async t => {
	const {a} = await startNodes(t, journal);
	a.store.inject({method: 'put', error: 'unavailable'});
	await writeText(a.fs, 'file', 'content');
	const draining = a.fileSystem.drain();
	await a.fileSystem.close();
	await t.throwsAsync(draining, {message: /1 files with changes stay in the journal/});
});

test('ten crashes in a row at any moment of an upload end with the newest synced state', async t => {
	const {bucket, a, start} = await startNodes(t, journal);
	let node = a;
	for (let round = 0; round < 10; round++) {
		const fault = node.store.inject({
			key: 'file',
			method: 'put',
			skipCount: round % 3,
			when: round % 2 === 0 ? 'before' : 'after',
			error: 'unavailable',
		});
		const handle = await openHandle(node, 'file', O_CREAT | O_WRONLY);
		for (const part of [0, 1, 2]) {
			await write(node, handle, `${round}.${part} `, part * 4);
			t.true(
				[undefined, 'EIO'].includes(await errnoOf(node.fileSystem.fsync(handle))),
				'an upload that failed before is reported',
			);
		}

		await Promise.race([fault.reached, node.fileSystem.drain().catch(() => undefined)]); // It ends with the node.
		node.store.inject({error: 'unavailable'});
		await node.fileSystem.close();
		node = await start({...journal, stagingDirectory: node.stagingDirectory});
		t.deepEqual(
			node.events.filter(({event}) => event === 'journal damaged'),
			[],
		);
	}

	await node.fileSystem.drain();
	t.is(await objectText(bucket, 'file'), '9.0 9.1 9.2 ');
	t.is(node.fileSystem.status().stagingBytes, 0);
});

test.serial('a file system leaves no file open, whatever it did', async t => {
	const openFiles = async () => (await readdir('/proc/self/fd')).length;
	const {a} = await startNodes(t, journal);
	await writeText(a.fs, 'warm', 'up');
	await a.fileSystem.drain();
	const before = await openFiles();
	for (let index = 0; index < 30; index++) {
		await writeText(a.fs, `file ${index % 10}`, 'content');
		if (index % 3 === 0) {
			await a.fileSystem.unlink(`file ${index % 10}`);
		}
	}

	await a.fileSystem.drain();
	t.is(await openFiles(), before);
	a.store.inject({method: 'put', error: 'unavailable'});
	await writeText(a.fs, 'stays in the journal', 'content');
	await a.fileSystem.close();
	t.is(await openFiles(), before);
});
