import {mkdir, readdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {crc32} from 'node:zlib';
import test from 'ava';
import {type JournalRecord, readJournal, removeJournalRecord, writeJournalRecord} from '../../src/upload/journal.ts';
import {watchDisk} from './support/disk-steps.ts';
import {someObject} from './support/staging.ts';
import {createStagingDirectory} from '../support/volume-nodes.ts';

const idOf = (count: number): string => `00000000000001-${count.toString().padStart(10, '0')}`;

const recordOf = (count: number, change: Partial<JournalRecord> = {}): JournalRecord => ({
	format: 2,
	id: idOf(count),
	key: 'file',
	base: someObject,
	metadata: {'file-mtime': '1ns'},
	contentType: 'text/plain',
	layer: {
		sizeBytes: 9,
		lowerBytes: 4,
		appendedFrom: 4,
		extents: [{start: 4, end: 9, source: {kind: 'object', object: someObject, objectOffset: 3}}],
	},
	sealedAtMs: 1000,
	...change,
});

for (const isDurable of [true, false]) {
	test(`records are read as they were written, in the order of their seals, ${isDurable ? 'durable' : 'not durable'}`, async t => {
		const directory = await createStagingDirectory(t);
		for (const count of [3, 1, 2]) {
			await writeJournalRecord(directory, recordOf(count, {isDurable}));
		}

		await writeJournalRecord(directory, recordOf(2, {base: 'previous', isDurable}));
		await removeJournalRecord(directory, idOf(1));
		await removeJournalRecord(directory, idOf(1));
		t.deepEqual(await readJournal(directory), {
			records: [recordOf(2, {base: 'previous', isDurable}), recordOf(3, {isDurable})],
			damaged: [],
		});
	});
}

test('a record of an earlier version, to the byte, is read', async t => {
	const directory = await createStagingDirectory(t);
	const line =
		`{"format":1,"id":"${idOf(7)}","key":"dir/file","base":{"key":"dir/file","etag":"e","sizeBytes":10,"lastModifiedMs":5,"metadata":{"file-owner":"1"}},` +
		'"metadata":{"file-mtime":"1ns"},"layer":{"sizeBytes":12,"lowerBytes":10,"appendedFrom":10,"displacementBytes":8,' +
		'"extents":[{"start":0,"end":4,"source":{"kind":"zero"}},{"start":4,"end":6,"source":{"kind":"object","object":{"key":"o","etag":"f","sizeBytes":9,"lastModifiedMs":5,"metadata":{}},"objectOffset":2}},' +
		'{"start":10,"end":12,"source":{"kind":"local"}}]},"sealedAtMs":1700000000000}';
	await writeFile(join(directory, `${idOf(7)}.data`), 'twelve bytes');
	await writeFile(join(directory, `${idOf(7)}.json`), `${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`);
	const {records, damaged} = await readJournal(directory);
	t.deepEqual(damaged, []);
	t.is(records[0]?.key, 'dir/file');
	t.is(records[0]?.sealedAtMs, 1_700_000_000_000);
	t.is(records[0]?.layer.extents.length, 3);
	// Local bytes were at their offset less the displacement.
	t.deepEqual(records[0]?.layer.extents[2], {start: 10, end: 12, source: {kind: 'local', position: 2}});
});

test('anything but a whole record of ours counts as damaged: another format, another name, bytes that are gone', async t => {
	const directory = await createStagingDirectory(t);
	const local = recordOf(3, {
		layer: {...recordOf(3).layer, extents: [{start: 4, end: 9, source: {kind: 'local', position: 0}}]},
	});
	await writeJournalRecord(directory, {...recordOf(1), format: 3 as unknown as 2});
	await writeJournalRecord(directory, local);
	await writeFile(join(directory, `${idOf(2)}.json`), 'no record');
	await writeFile(join(directory, `${idOf(4)}.json`), '');
	await writeFile(join(directory, `${idOf(5)}.json.tmp`), 'half');
	const {records, damaged} = await readJournal(directory);
	t.deepEqual(records, []);
	t.deepEqual(
		damaged,
		[1, 2, 3, 4].map(count => `${idOf(count)}.json`),
	);
});

test('a record that cannot be written leaves the one before it', async t => {
	const directory = await createStagingDirectory(t);
	await writeJournalRecord(directory, recordOf(1));
	await mkdir(join(directory, `${idOf(1)}.json.tmp`));
	await t.throwsAsync(writeJournalRecord(directory, recordOf(1, {key: 'other'})));
	t.deepEqual((await readJournal(directory)).records, [recordOf(1)]);
	t.true((await readdir(directory)).includes(`${idOf(1)}.json`));
});

test('a durable record is on stable storage when it is written: its bytes before it has its name, its name before the end', async t => {
	const directory = await createStagingDirectory(t);
	const steps = watchDisk(t, directory);
	await writeJournalRecord(directory, recordOf(1, {isDurable: true}));
	t.deepEqual(steps, ['write json.tmp', 'sync json.tmp', 'rename to json', 'sync the directory']);
	steps.length = 0;
	await writeJournalRecord(directory, recordOf(1, {isDurable: false}));
	t.deepEqual(steps, ['write json.tmp', 'rename to json']);
});

test('a record that was removed is gone from stable storage, too', async t => {
	const directory = await createStagingDirectory(t);
	await writeJournalRecord(directory, recordOf(1));
	const steps = watchDisk(t, directory);
	await removeJournalRecord(directory, idOf(1));
	t.deepEqual(steps, ['unlink json', 'sync the directory']);
});
