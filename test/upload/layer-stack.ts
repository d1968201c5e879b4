import {mkdir, readFile, readdir, rmdir} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {readJournal, writeJournalRecord} from '../../src/upload/journal.ts';
import {LayerStack} from '../../src/upload/layer-stack.ts';
import {
	copyDirectory,
	putText,
	readFrom,
	recoverStacks,
	sealApart,
	stackText,
	writeToStack,
} from './support/layer-stack.ts';
import {openStaging} from './support/staging.ts';

const target = {key: 'file', metadata: {}, contentType: undefined};
const inJournal = {waitsForUpload: false};
const unmoved = {movedBytes: 0, hasConflict: false};
const nothing = () => undefined;

test('a stack shows all its layers over the object, and the newest wins', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: await putText(bucket, 'file', '0123456789'), staging});
	await writeToStack(stack, 'aaaa', 2);
	await stack.seal(target, inJournal);
	await writeToStack(stack, 'bb', 4);
	await stack.seal(target, inJournal);
	stack.writable().setSource(5, 7, {kind: 'zero'});
	await writeToStack(stack, '++');
	t.is(await stackText(stack, bucket), '01aab\0\u0000789++');
	t.is(stack.sizeBytes, 12);
	t.true(stack.hasUnsealedChanges);
	await stack.discard();
	t.is(await stackText(stack, bucket), '0123456789');
	t.deepEqual(await readdir(staging.directory), []);
});

test('a file of ten thousand layers can be read', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const base = await putText(bucket, 'file', '0123456789');
	const stack = new LayerStack({base, staging});
	for (let count = 0; count < 10_000; count++) {
		const layer = staging.createLayer({lowerBytes: 10});
		layer.setSource(5, 6, {kind: 'zero'});
		layer.seal();
		const record = {format: 2, id: layer.id, base, ...target, layer: layer.state, sealedAtMs: 0} as const;
		stack.adopt({layer, record});
	}

	t.is(await stackText(stack, bucket), '01234\u00006789');
});

test('the time of a seal stays, whatever is written down anew and after whatever start', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: undefined, staging});
	for (const text of ['one', 'two', 'three']) {
		await writeToStack(stack, text, 0);
		await sealApart(stack, target);
	}

	const {directory} = staging;
	for (const [index, record] of (await readJournal(directory)).records.entries()) {
		await writeJournalRecord(directory, {...record, sealedAtMs: 1000 + index});
	}

	const {stacks} = await recoverStacks(t, await copyDirectory(t, directory));
	const recovered = stacks.get('file')!; // It was sealed.
	t.is(recovered.next?.sealedAtMs, 1000);
	await recovered.take({...unmoved, head: await putText(bucket, 'file', 'one')}, nothing);
	t.is(recovered.next?.sealedAtMs, 1001);
	const again = await recoverStacks(t, directory);
	t.is(again.stacks.get('file')?.next?.sealedAtMs, 1000);
	await again.stacks.get('file')?.take({...unmoved, head: await putText(bucket, 'file', 'one')}, nothing);
	t.deepEqual(
		(await readJournal(directory)).records.map(({sealedAtMs}) => sealedAtMs),
		[1001, 1002],
	);
	await stack.discard();
});

test('take() loses nothing in a crash at any of its steps: each start shows the same file', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const base = await putText(bucket, 'file', 'base ');
	const stack = new LayerStack({base, staging});
	await writeToStack(stack, 'one ');
	await sealApart(stack, target);
	await writeToStack(stack, 'two');
	await sealApart(stack, target);
	const crashes = [await copyDirectory(t, staging.directory)];
	const discard = staging.discard.bind(staging);
	staging.discard = async layer => {
		crashes.push(await copyDirectory(t, staging.directory));
		await discard(layer);
	};

	const before = await recoverStacks(t, crashes[0]!); // The copy of before.
	t.is(await stackText(before.stacks.get('file')!, bucket), 'base one two'); // Both were in the journal.
	const head = await putText(bucket, 'file', 'base one ');
	await stack.take({...unmoved, head}, nothing);
	crashes.push(await copyDirectory(t, staging.directory));
	t.is(crashes.length, 3);
	for (const crash of crashes.slice(1)) {
		const {stacks} = await recoverStacks(t, crash);
		const stack = stacks.get('file')!; // The second layer is still to be uploaded.
		t.is(await stackText(stack, bucket), 'base one two');
		t.is(stack.base?.etag, head.etag, 'what S3 has is not uploaded once more');
		t.deepEqual((await readdir(crash)).map(name => name.replace(/^.*\./, '')).toSorted(), ['data', 'json']);
	}

	t.is(await stackText(stack, bucket), 'base one two');
	await stack.discard();
	t.is(staging.usedBytes, 0);
});

test('a layer that S3 has stays on disk until the journal says on what the next one lies', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: undefined, staging});
	await writeToStack(stack, 'one', 0);
	await sealApart(stack, target);
	await writeToStack(stack, 'two', 0);
	await sealApart(stack, target);
	const [first, second] = (await readJournal(staging.directory)).records.map(({id}) => id);
	const obstacle = join(staging.directory, `${second}.json.tmp`);
	await mkdir(obstacle);
	const head = await putText(bucket, 'file', 'one');
	await t.throwsAsync(stack.take({...unmoved, head}, nothing), {name: 'FsError'});
	t.true((await readdir(staging.directory)).includes(`${first}.json`));
	t.is(stack.base?.etag, head.etag);
	await rmdir(obstacle);
	await stack.record();
	const {records} = await readJournal(staging.directory);
	t.like(records, [{id: second, base: {etag: head.etag}}]);
	t.is(records.length, 1);
	await stack.discard();
	t.is(staging.usedBytes, 0);
});

test('take() tells of the new object before anybody can read it', async t => {
	const bucket = createMemoryObjectStore();
	const stack = new LayerStack({base: undefined, staging: await openStaging(t)});
	await writeToStack(stack, 'content', 0);
	await stack.seal(target, {waitsForUpload: true});
	const head = await putText(bucket, 'file', 'content');
	let isTold = false;
	const taking = stack.take({...unmoved, head}, () => {
		isTold = stack.base?.etag === head.etag;
	});
	t.true(isTold);
	t.true(stack.isEmpty);
	await taking;
});

test('appended bytes follow when the file grew elsewhere; other changes keep what they show', async t => {
	for (const isAppend of [true, false]) {
		const bucket = createMemoryObjectStore({isVersioned: true});
		const staging = await openStaging(t);
		const stack = new LayerStack({base: await putText(bucket, 'file', 'base '), staging});
		await writeToStack(stack, 'one ');
		await sealApart(stack, target);
		await writeToStack(stack, 'two', isAppend ? undefined : 0);
		await sealApart(stack, target);
		let replacesOthers: boolean | undefined;
		const head = await putText(bucket, 'file', 'base elsewhere one ');
		await stack.take({head, movedBytes: 10, hasConflict: false}, answer => {
			replacesOthers = answer;
		});
		t.is(replacesOthers, !isAppend);
		t.is(await stackText(stack, bucket), isAppend ? 'base elsewhere one two' : 'twoe one ');
		const {stacks} = await recoverStacks(t, await copyDirectory(t, staging.directory));
		t.is(await stackText(stacks.get('file')!, bucket), await stackText(stack, bucket)); // It was re-recorded.
		await stack.discard();
	}
});

test('a layer that keeps what it shows refers to the object that it takes it from', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: await putText(bucket, 'file', 'base '), staging});
	await writeToStack(stack, 'one ');
	await sealApart(stack, target);
	await writeToStack(stack, 'two', 0);
	await sealApart(stack, target);
	t.false(stack.refersTo(key => key === 'file'));
	const head = await putText(bucket, 'file', 'base elsewhere one ');
	await stack.take({head, movedBytes: 10, hasConflict: false}, nothing);
	t.true(stack.refersTo(key => key === 'file'));
	await stack.discard();
});

test('a short upload that is waited for is not written down; a second one, a long one and a failed one are', async t => {
	const staging = await openStaging(t);
	const records = async () => (await readJournal(staging.directory)).records.length;
	const stack = new LayerStack({base: undefined, staging});
	await writeToStack(stack, 'short', 0);
	await stack.seal(target, {waitsForUpload: true});
	t.is(await records(), 0);
	await writeToStack(stack, 'another', 0);
	await stack.seal(target, {waitsForUpload: true});
	t.is(await records(), 2);
	const long = new LayerStack({base: undefined, staging});
	await long.writable().write(0, Buffer.alloc(2 ** 18 + 1), {isAppend: false});
	await long.seal({...target, key: 'long'}, {waitsForUpload: true});
	t.is(await records(), 3);
	await stack.discard();
	await long.discard();
});

test('after forgetJournal() the bytes are readable, and neither an upload nor a start finds them', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: undefined, staging});
	await writeToStack(stack, 'sealed', 0);
	await stack.seal(target, inJournal);
	await stack.forgetJournal();
	await writeToStack(stack, ', and more');
	await stack.seal(target, inJournal);
	await stack.record();
	t.is(await stackText(stack, bucket), 'sealed, and more');
	t.is(stack.next, undefined);
	t.deepEqual((await readJournal(staging.directory)).records, []);
	await stack.discard();
	t.deepEqual(await readdir(staging.directory), []);
});

test('forgetJournal() forgets also the record of a layer that S3 has, which could not be removed yet', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: undefined, staging});
	for (const text of ['one', 'two']) {
		await writeToStack(stack, text, 0);
		await sealApart(stack, target);
	}

	const [, second] = (await readJournal(staging.directory)).records;
	const obstacle = join(staging.directory, `${second?.id}.json.tmp`);
	await mkdir(obstacle);
	const head = await putText(bucket, 'file', 'one');
	await t.throwsAsync(stack.take({...unmoved, head}, nothing), {name: 'FsError'});
	await rmdir(obstacle);
	await stack.forgetJournal();
	t.deepEqual((await recoverStacks(t, await copyDirectory(t, staging.directory))).stacks.size, 0);
	await stack.discard();
});

test('keepFailed() takes the changes away and keeps their bytes for a person', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const stack = new LayerStack({base: await putText(bucket, 'file', 'old'), staging});
	await writeToStack(stack, 'new', 0);
	await stack.seal(target, inJournal);
	const keptAt = await stack.keepFailed();
	t.is(await readFile(keptAt!, 'utf8'), 'new'); // There was something to keep.
	t.is((await readJournal(join(staging.directory, 'failed'))).records.length, 1);
	t.is(await stackText(stack, bucket), 'old');
	t.is(staging.usedBytes, 0);
	t.deepEqual((await recoverStacks(t, staging.directory)).stacks.size, 0);
});

test('materialize() brings what still shows of objects to the disk, and nothing else', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const object = await putText(bucket, 'other', 'OTHER');
	const stack = new LayerStack({base: await putText(bucket, 'file', '0123456789'), staging});
	await writeToStack(stack, 'ab', 1);
	stack.writable().setSource(3, 6, {kind: 'object', object, objectOffset: 1});
	t.true(stack.refersTo(key => key === 'other'));
	await stack.seal(target, inJournal);
	await stack.materialize(readFrom(bucket));
	await bucket.deleteMany([{key: 'file'}, {key: 'other'}]);
	t.is(await stackText(stack, bucket), '0abTHE6789');
	await stack.discard();
});

test('materialize() asks for several large ranges at the same time', async t => {
	const bucket = createMemoryObjectStore();
	const staging = await openStaging(t);
	const content = 'abcdefgh'.repeat(5 * 2 ** 20);
	const stack = new LayerStack({base: await putText(bucket, 'file', content), staging});
	let [count, countMax, callCount] = [0, 0, 0];
	const read = readFrom(bucket);
	await stack.materialize(async (...range) => {
		callCount++;
		countMax = Math.max(countMax, ++count);
		await read(...range);
		count--;
	});
	t.deepEqual({countMax, callCount}, {countMax: 4, callCount: 5});
	await bucket.deleteMany([{key: 'file'}]);
	t.true((await stackText(stack, bucket)) === content);
	await stack.discard();
});
