import {mkdir, readdir, rmdir} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {FsError} from '../../src/model/fs-error.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';
import {readJournal} from '../../src/upload/journal.ts';
import {LayerStack} from '../../src/upload/layer-stack.ts';
import type {StagedLayer} from '../../src/upload/staged-layer.ts';
import type {StagingArea} from '../../src/upload/staging-area.ts';
import type {UploadOutcome} from '../../src/upload/uploader.ts';
import {describeBytes} from '../end-to-end/reference/support/random-operations.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';
import {objectText} from '../support/volume-nodes.ts';
import {
	copyDirectory,
	putText,
	readFrom,
	recoverStacks,
	sealApart,
	stackText,
	writeToStack,
} from './support/layer-stack.ts';
import {failNextSync} from './support/disk-steps.ts';
import {openStaging} from './support/staging.ts';
import {createTestUploader} from './support/uploader.ts';

const target = {key: 'file', metadata: {}, contentType: undefined};
const at = (mtime: number) => ({...target, metadata: {'file-mtime': `${mtime}ns`}});
const inJournal = {waitsForUpload: false};

/** A stack on an object, with a first layer whose upload has begun and does not end. */
const startHeld = async (t: ExecutionContext, options: {base?: string; isVersioned?: boolean} = {}) => {
	const bucket = createMemoryObjectStore({isVersioned: options.isVersioned ?? false});
	const staging = await openStaging(t, {isDurable: true});
	t.teardown(async () => staging.close());
	const made: StagedLayer[] = [];
	const createLayer = staging.createLayer.bind(staging);
	staging.createLayer = request => {
		made.push(createLayer(request));
		return made.at(-1)!; // Just pushed.
	};
	const base = options.base === undefined ? undefined : await putText(bucket, 'file', options.base);
	const stack = new LayerStack({base, staging});
	await writeToStack(stack, 'held ');
	await stack.seal(at(0), inJournal);
	await stack.claim();
	return {bucket, staging, stack, made};
};

const append = async (stack: LayerStack, text: string, mtime: number): Promise<void> => {
	await writeToStack(stack, text);
	await stack.seal(at(mtime), inJournal);
};

const namesIn = async (directory: string, suffix: string): Promise<string[]> =>
	(await readdir(directory)).filter(name => name.endsWith(suffix));

/** Brings all layers to S3, as the queue does. */
const uploadAll = async (stack: LayerStack, store: ObjectStore): Promise<UploadOutcome[]> => {
	const uploader = createTestUploader({
		store,
		readObject: readFrom(store),
		partBytes: 2 ** 23,
		memoryBytesMax: 2 ** 24,
	});
	const outcomes: UploadOutcome[] = [];
	for (let sealed = await stack.claim(); sealed !== undefined; sealed = await stack.claim()) {
		const outcome = await uploader.upload({...sealed, base: stack.base});
		outcomes.push(outcome);
		await stack.take(outcome, () => undefined);
	}

	return outcomes;
};

/** What a start makes of a directory: the file as it shows it, and as S3 has it then. */
const afterCrash = async (t: ExecutionContext, directory: string, bucket: ObjectStore) => {
	const {stacks, damaged, staging} = await recoverStacks(t, directory);
	t.deepEqual(damaged, []);
	const stack = stacks.get('file')!; // Something is always in the journal here.
	const shown = await stackText(stack, bucket);
	const outcomes = await uploadAll(stack, bucket);
	t.false(outcomes.some(({hasConflict}) => hasConflict));
	t.deepEqual(await readdir(directory), []);
	t.is(staging.usedBytes, 0);
	return {shown, stored: await objectText(bucket, 'file'), uploadCount: outcomes.length};
};

test('layers that wait are merged, so that hundreds of seals leave two, and S3 gets all bytes', async t => {
	const {bucket, staging, stack} = await startHeld(t);
	let expected = 'held ';
	for (let count = 0; count < 300; count++) {
		await append(stack, `${count},`, count);
		expected += `${count},`;
	}

	const {records} = await readJournal(staging.directory);
	t.is(records.length, 2);
	t.deepEqual((await namesIn(staging.directory, '.data')).length, 2);
	t.is(records[1]?.layer.extents.length, 1, 'What follows in the file follows on the disk');
	t.deepEqual(records[1]?.metadata, at(299).metadata);
	t.is(await stackText(stack, bucket), expected);
	const crash = await copyDirectory(t, staging.directory);
	t.is((await uploadAll(stack, bucket)).length, 2);
	t.is(await objectText(bucket, 'file'), expected);
	t.is(staging.usedBytes, 0);
	await bucket.deleteMany([{key: 'file'}]);
	t.like(await afterCrash(t, crash, bucket), {shown: expected, stored: expected, uploadCount: 2});
});

test('layers are merged only when the disk has the bytes: a sync that fails costs one layer, not both', async t => {
	const {bucket, staging, stack} = await startHeld(t);
	await append(stack, 'one ', 1);
	failNextSync(staging.directory);
	await append(stack, 'two', 2);
	t.is((await readJournal(staging.directory)).records.length, 3);
	const {shown} = await afterCrash(t, await copyDirectory(t, staging.directory), bucket);
	t.is(shown, 'held one two');
	await stack.discard();
});

test('a merged layer refers to the objects that the upper one named', async t => {
	const {bucket, stack} = await startHeld(t);
	const object = await putText(bucket, 'other', 'OTHER');
	await append(stack, 'one ', 1);
	stack.writable().setSource(9, 14, {kind: 'object', object, objectOffset: 0});
	await stack.seal(at(2), inJournal);
	t.true(stack.refersTo(key => key === 'other'));
	t.is(await stackText(stack, bucket), 'held one OTHER');
	await stack.discard();
});

test('merged layers show what an array of bytes would, and each start finds what was sealed last', async t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	for (let round = 0; round < 6; round++) {
		const {bucket, staging, stack} = await startHeld(t, {base: random.pick(['', 'base '.repeat(20)])});
		let expected: Buffer = Buffer.from(await stackText(stack, bucket));
		const reads: Array<() => Promise<void>> = [];
		for (let step = 0; step < 60; step++) {
			for (let count = random.below(3); count >= 0; count--) {
				expected = await change(stack, expected, random);
			}

			const shown = expected;
			const gate = Promise.withResolvers<void>();
			const before = Buffer.alloc(shown.length);
			const reading = stack.read(0, before, async (...range) => {
				await gate.promise;
				await readFrom(bucket)(...range);
			});
			await stack.seal(at(step), inJournal);
			reads.push(async () => {
				gate.resolve();
				await reading;
				t.is(describeBytes(before), describeBytes(shown), 'A read shows the state that it began with');
			});
			if (random.chance(0.3)) {
				await Promise.all(reads.splice(0).map(async end => end()));
			}

			t.is(
				describeBytes(Buffer.from(await stackText(stack, bucket))),
				describeBytes(expected),
				`seed ${seed}, ${step}`,
			);
			if (step % 10 === 0) {
				const {stacks} = await recoverStacks(t, await copyDirectory(t, staging.directory));
				t.is(await stackText(stacks.get('file')!, bucket), expected.toString()); // It was sealed.
			}
		}

		await Promise.all(reads.map(async end => end()));
		t.is((await readJournal(staging.directory)).records.length, 2);
		await uploadAll(stack, bucket);
		t.is(await objectText(bucket, 'file'), expected.toString());
		t.deepEqual(await readdir(staging.directory), []);
		t.is(staging.usedBytes, 0);
	}
});

/** One random change of a file, and what it is to be then. */
const change = async (
	stack: LayerStack,
	bytes: Buffer,
	random: ReturnType<typeof createRandomSource>,
): Promise<Buffer> => {
	const start = random.below(400);
	const end = start + 1 + random.below(120);
	const grown = Buffer.concat([bytes, Buffer.alloc(Math.max(0, end - bytes.length))]);
	const data = Buffer.alloc(end - start, 65 + random.below(58));
	switch (random.below(6)) {
		case 0: {
			stack.writable().truncate(start);
			return Buffer.concat([bytes.subarray(0, start), Buffer.alloc(Math.max(0, start - bytes.length))]);
		}

		case 1: {
			stack.writable().truncate(0); // As O_TRUNC does.
			return Buffer.alloc(0);
		}

		case 2: {
			stack.writable().setSource(start, end, {kind: 'zero'});
			return grown.fill(0, start, end);
		}

		case 3: {
			await writeToStack(stack, data.toString());
			return Buffer.concat([bytes, data]);
		}

		default: {
			await writeToStack(stack, data.toString(), start);
			grown.set(data, start);
			return grown;
		}
	}
};

test('a crash at any step of a merge leaves what was sealed before or what is sealed now, whole and once', async t => {
	for (const isRecordedFirst of [false, true]) {
		const {bucket, staging, stack, made} = await startHeld(t);
		await append(stack, 'one ', 1);
		const lower = made[1]!; // The second that was made.
		let isFull = isRecordedFirst;
		const crashes: string[] = [];
		const snapshot = async () => void crashes.push(await copyDirectory(t, staging.directory));
		const copyFrom = lower.copyFrom.bind(lower);
		lower.copyFrom = async (...options) => {
			if (isFull) {
				throw new FsError('ENOSPC', 'The disk is full');
			}

			const copies = await copyFrom(...options);
			await snapshot();
			return copies;
		};
		await append(stack, 'two ', 2);
		t.is((await readJournal(staging.directory)).records.length, isRecordedFirst ? 3 : 2);
		const sealed = 'held one two ';
		isFull = false;
		crashes.length = 0;
		snapshotAround(staging, snapshot);
		await append(stack, 'three', 3);
		await snapshot();
		t.is((await readJournal(staging.directory)).records.length, 2);
		t.true(crashes.length >= 6);
		let isNew = false;
		for (const crash of crashes) {
			await bucket.deleteMany([{key: 'file'}]);
			const {records} = await readJournal(crash);
			const hasAll = records.some(({id, mergedId}) => id === lower.id && mergedId === made.at(-1)?.id);
			const {shown, stored, uploadCount} = await afterCrash(t, crash, bucket);
			t.true(!hasAll || uploadCount === 2, 'The records of merged layers that are still there say nothing new');
			t.true(shown === `${sealed}three` || (shown === sealed && !isNew), shown);
			isNew = shown !== sealed;
			t.is(stored, shown);
		}

		t.true(isNew);
	}
});

/** Calls this before and after each step that changes the directory. */
const snapshotAround = (staging: StagingArea, snapshot: () => Promise<void>): void => {
	for (const name of ['record', 'forget', 'discard'] as const) {
		const step = staging[name].bind(staging) as (...options: unknown[]) => Promise<void>;
		staging[name] = async (...options: unknown[]) => {
			await snapshot();
			await step(...options);
			await snapshot();
		};
	}
};

test('what a merge has replaced stays on disk until the record that does not name it is written', async t => {
	const {bucket, staging, stack, made} = await startHeld(t);
	await writeToStack(stack, 'old!', 5);
	await stack.seal(at(1), inJournal);
	const obstacle = join(staging.directory, `${made[1]?.id}.json.tmp`);
	await mkdir(obstacle);
	for (const text of ['aaaa', 'bbbb', 'cccc']) {
		await writeToStack(stack, text, 5);
		await t.throwsAsync(stack.seal(at(2), inJournal), {name: 'FsError'});
	}

	const crash = await copyDirectory(t, staging.directory);
	await rmdir(join(crash, `${made[1]?.id}.json.tmp`));
	t.like(await afterCrash(t, crash, bucket), {shown: 'held old!', stored: 'held old!'});
	await rmdir(obstacle);
	await stack.seal(at(3), inJournal);
	const {stacks} = await recoverStacks(t, await copyDirectory(t, staging.directory));
	t.is(await stackText(stacks.get('file')!, bucket), 'held cccc'); // It was sealed.
});

test('a merged layer that is read from stays for its reader, but not in the journal', async t => {
	const {bucket, staging, stack, made} = await startHeld(t);
	await append(stack, 'one ', 1);
	const lower = made[1]!; // The second that was made.
	const copyFrom = lower.copyFrom.bind(lower);
	lower.copyFrom = async () => {
		throw new FsError('ENOSPC', 'The disk is full');
	};
	await append(stack, 'two ', 2);
	lower.copyFrom = copyFrom;
	made[2]?.pin();
	await append(stack, 'three', 3);
	const {records} = await readJournal(staging.directory);
	t.deepEqual(
		records.map(({id}) => id),
		[made[0]?.id, made[1]?.id],
	);
	t.is((await namesIn(staging.directory, '.data')).length, 3);
	made[2]?.unpin();
	await uploadAll(stack, bucket);
	t.deepEqual(await readdir(staging.directory), []);
});

test('a file that is rewritten again and again takes the space of a few states only', async t => {
	const {bucket, staging, stack} = await startHeld(t);
	for (let count = 0; count < 300; count++) {
		stack.writable().truncate(0);
		await writeToStack(stack, `${count} `.repeat(1000 + (count % 7) * 300), 0);
		await stack.seal(at(count), inJournal);
	}

	t.true(staging.usedBytes < 100_000, `${staging.usedBytes} bytes`);
	t.is(await stackText(stack, bucket), '299 '.repeat(1000 + 5 * 300));
	await stack.discard();
	t.is(staging.usedBytes, 0);
});

test('an upload waits for the merge into its layer, and after that nothing is merged into it', async t => {
	const {bucket, staging, stack, made} = await startHeld(t);
	await append(stack, 'one ', 1);
	await stack.take({head: await putText(bucket, 'file', 'held '), movedBytes: 0, hasConflict: false}, () => undefined);
	const lower = made[1]!; // The second that was made.
	const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const copyFrom = lower.copyFrom.bind(lower);
	lower.copyFrom = async (...options) => {
		begun.resolve();
		await gate.promise;
		return copyFrom(...options);
	};
	await writeToStack(stack, 'two ');
	const sealing = stack.seal(at(2), inJournal);
	await begun.promise;
	let isClaimed = false;
	const claiming = stack.claim().then(claimed => {
		isClaimed = true;
		return claimed;
	});
	await new Promise(setImmediate);
	t.false(isClaimed);
	gate.resolve();
	const claimed = await claiming;
	t.is(claimed?.layer.sizeBytes, 'held one two '.length);
	t.is((await readJournal(staging.directory)).records[0]?.layer.sizeBytes, 'held one two '.length, 'It is recorded');
	await sealing;
	await append(stack, 'three', 3);
	t.is((await readJournal(staging.directory)).records.length, 2);
	await uploadAll(stack, bucket);
	t.is(await objectText(bucket, 'file'), 'held one two three');
});

test('a layer that was moved or rebased while it was merged has all bytes where they belong', async t => {
	for (const isAppend of [true, false]) {
		const {bucket, stack, made} = await startHeld(t, {base: 'base ', isVersioned: true});
		await append(stack, 'one ', 1);
		const lower = made[1]!; // The second that was made.
		const copyFrom = lower.copyFrom.bind(lower);
		lower.copyFrom = async (...options) => {
			const copies = await copyFrom(...options);
			const head = await putText(bucket, 'file', 'base elsewhere held ');
			await stack.take({head, movedBytes: 10, hasConflict: false}, () => undefined);
			return copies;
		};
		await writeToStack(stack, 'two', isAppend ? undefined : 0);
		await stack.seal(at(2), inJournal);
		const expected = isAppend ? 'base elsewhere held one two' : 'twoe held one ';
		t.is(await stackText(stack, bucket), expected);
		await uploadAll(stack, bucket);
		t.is(await objectText(bucket, 'file'), expected);
	}
});

test('an upload that outran its record is recognized after a crash: nothing is doubled or taken back', async t => {
	for (const next of ['', 'elsewhere ']) {
		const {bucket, staging, stack, made} = await startHeld(t);
		await append(stack, 'one ', 1);
		await stack.take(
			{head: await putText(bucket, 'file', 'held '), movedBytes: 0, hasConflict: false},
			() => undefined,
		);
		await mkdir(join(staging.directory, `${made[1]?.id}.json.tmp`));
		await writeToStack(stack, 'two ');
		await t.throwsAsync(stack.seal(at(2), inJournal), {name: 'FsError'});
		const crash = await copyDirectory(t, staging.directory);
		await rmdir(join(crash, `${made[1]?.id}.json.tmp`));
		const uploader = createTestUploader({
			store: bucket,
			readObject: readFrom(bucket),
			partBytes: 2 ** 23,
			memoryBytesMax: 2 ** 24,
		});
		const {head} = await uploader.upload({...(await stack.claim())!, base: stack.base}); // Two layers wait, as one.
		if (next !== '') {
			const content = Buffer.from(`held one two ${next}`);
			await bucket.put('file', content, {writeId: 'other', keptWriteIds: head.writeIds ?? []});
		}

		const {stacks} = await recoverStacks(t, crash);
		const outcomes = await uploadAll(stacks.get('file')!, bucket); // The record of before the merge.
		t.is(outcomes.length, 1);
		t.false(outcomes[0]?.hasConflict);
		t.is(await objectText(bucket, 'file'), `held one two ${next}`);
	}
});

test('what callers wait for, or another name has, is not merged; after a failure it is', async t => {
	const {staging, stack} = await startHeld(t);
	const count = async () => (await readJournal(staging.directory)).records.length;
	for (const mtime of [1, 2]) {
		await writeToStack(stack, 'text');
		await sealApart(stack, at(mtime));
	}

	t.is(await count(), 3);
	stack.endWaits();
	await append(stack, 'more', 3);
	t.is(await count(), 2);
	await writeToStack(stack, 'text');
	await stack.seal({...target, key: 'other name'}, inJournal);
	t.is(await count(), 3);
	await stack.discard();
});

test('a layer of very many pieces is not written down anew for each small change', async t => {
	const {bucket, staging, stack} = await startHeld(t);
	const expected = Buffer.alloc(20_000, ' ');
	await writeToStack(stack, expected.toString(), 0);
	for (let offset = 1; offset < 20_000; offset += 8) {
		await stack.writable().write(offset, Buffer.from('x'), {isAppend: false});
		stack.writable().setSource(offset + 2, offset + 3, {kind: 'zero'});
	}

	await stack.seal(at(1), inJournal);
	for (let count = 0; count < 100; count++) {
		await writeToStack(stack, 'y', 16 * count);
		await stack.seal(at(2), inJournal);
	}

	const counts = (await readJournal(staging.directory)).records.map(({layer}) => layer.extents.length);
	t.is(counts.length, 3);
	t.true(counts[1]! > 4000);
	t.true(counts[2]! <= 100);
	await uploadAll(stack, bucket);
	t.is(staging.usedBytes, 0);
});
