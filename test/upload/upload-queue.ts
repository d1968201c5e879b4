import {mkdir, readFile, readdir, rmdir} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {readJournal} from '../../src/upload/journal.ts';
import {LayerStack} from '../../src/upload/layer-stack.ts';
import type {UploadEvent} from '../../src/upload/upload-event.ts';
import {UploadQueue, type UploadItem} from '../../src/upload/upload-queue.ts';
import {putText, readFrom, sealApart, writeToStack} from './support/layer-stack.ts';
import {openStaging} from './support/staging.ts';
import {eventually, objectText} from '../support/volume-nodes.ts';
import {createTestUploader} from './support/uploader.ts';

type Item = UploadItem & {isOpen: boolean; wasToldOfFailure: boolean};

const start = async (t: ExecutionContext, {retryDelayMs = 1} = {}) => {
	const bucket = createMemoryObjectStore();
	const store = createFaultyObjectStore(bucket);
	const staging = await openStaging(t);
	const items: Item[] = [];
	const steps: string[] = [];
	const events: UploadEvent[] = [];
	const queue = new UploadQueue<Item>({
		uploader: createTestUploader({store, readObject: readFrom(store), partBytes: 2 ** 23, memoryBytesMax: 2 ** 24}),
		items: () => items,
		onStep: ({path}, {step}) => void steps.push(`${path} ${step}`),
		onEvent: event => void events.push(event),
		retryDelayMs,
	});
	t.teardown(async () => {
		store.heal();
		await queue.close();
		await staging.close();
	});
	const add = async (path: string, text?: string): Promise<Item> => {
		const base = text === undefined ? undefined : await putText(bucket, path, text);
		const layers = new LayerStack({base, staging});
		const item = {path, layers, isOpen: true, wasToldOfFailure: false, unreportedError: undefined};
		items.push(item);
		return item;
	};

	return {bucket, store, staging, queue, steps, events, add};
};

const seal = async ({path, layers}: UploadItem) =>
	layers.seal({key: path, metadata: {}, contentType: undefined}, {waitsForUpload: false});

const write = async (item: UploadItem, text: string, offset = 0) => {
	await writeToStack(item.layers, text, offset);
	await seal(item);
};

test('the layers of a file are stored in their order, and each step is reported', async t => {
	const {bucket, staging, queue, steps, add} = await start(t);
	const item = await add('file');
	for (const text of ['one', 'two']) {
		await writeToStack(item.layers, text, 0);
		await sealApart(item.layers, {key: 'file', metadata: {}, contentType: undefined});
	}

	t.is(queue.pendingCount, 1);
	await queue.settle(item);
	t.is(await objectText(bucket, 'file'), 'two');
	t.deepEqual(steps, ['file stored', 'file stored', 'file ended']);
	t.is(queue.pendingCount, 0);
	t.is(staging.usedBytes, 0);
});

test('64 small files are on their way at once, and each ends before another begins', async t => {
	const {bucket, store, queue, add} = await start(t);
	const first = store.inject({method: 'put', isBlocked: true});
	const names = Array.from({length: 70}, (_, index) => `file ${index}`);
	const uploads = names.map(async name => {
		const item = await add(name);
		await write(item, name);
		await queue.settle(item);
	});
	await eventually(t, '64 have begun', () => first.hitCount === 64);
	await new Promise(setImmediate);
	t.is(first.hitCount, 64);
	first.remove();
	await Promise.all(uploads);
	t.is((await bucket.list({prefix: ''})).objects.length, names.length);
});

test('what is sealed during an upload is stored before settle() returns', async t => {
	const {bucket, store, queue, add} = await start(t);
	const item = await add('file');
	const fault = store.inject({method: 'put', isBlocked: true});
	await write(item, 'one');
	const settling = queue.settle(item);
	await fault.reached;
	await write(item, 'two');
	fault.release();
	await settling;
	t.is(await objectText(bucket, 'file'), 'two');
});

test('an upload that fails for a reason that passes is tried again by itself', async t => {
	const {bucket, store, queue, events, add} = await start(t);
	const item = await add('file');
	await write(item, 'content');
	const fault = store.inject({method: 'put', error: 'unavailable'});
	await t.throwsAsync(queue.settle(item), {name: 'StoreError'});
	t.like(events[0], {event: 'upload failed', path: 'file', isFinal: false});
	t.regex(queue.lastError?.message ?? '', /^file: /);
	fault.remove();
	await eventually(t, 'S3 has it', async () => (await objectText(bucket, 'file')) === 'content');
	await queue.idle();
	t.is(queue.lastError, undefined);
	t.true(item.layers.isEmpty);
});

test.serial(
	'the pauses between the tries of an upload double, up to a minute, and begin anew after a success',
	async t => {
		const {store, queue, add} = await start(t, {retryDelayMs: 7});
		const {setTimeout: later} = globalThis;
		const pauses = [...Array.from({length: 14}, (_, index) => 7 * 2 ** index), 60_000, 60_000];
		const seen: Array<number | undefined> = [];
		t.teardown(() => {
			globalThis.setTimeout = later;
		});
		globalThis.setTimeout = ((task: () => void, delayMs?: number) => {
			const isPause = delayMs !== undefined && pauses.includes(delayMs);
			seen.push(...(isPause ? [delayMs] : []));
			return later(task, isPause ? 0 : delayMs);
		}) as typeof setTimeout;
		const item = await add('file');
		await write(item, 'content');
		const fault = store.inject({method: 'put', error: 'unavailable'});
		await t.throwsAsync(queue.settle(item), {name: 'StoreError'});
		await eventually(t, 'it was tried often', () => seen.length >= pauses.length);
		fault.remove();
		await eventually(t, 'S3 has it', () => item.layers.isEmpty);
		await queue.idle();
		t.deepEqual(seen.slice(0, pauses.length), pauses);
		seen.length = 0;
		store.inject({method: 'put', error: 'unavailable', countMax: 1});
		await write(item, 'changed');
		await t.throwsAsync(queue.settle(item), {name: 'StoreError'});
		await eventually(t, 'S3 has it', () => item.layers.isEmpty);
		t.deepEqual(seen, [7]);
	},
);

test('when the journal cannot be written after an upload, the rest is tried again, and nothing stays behind', async t => {
	const {bucket, store, staging, queue, events, add} = await start(t);
	const item = await add('file');
	const fault = store.inject({method: 'put', isBlocked: true});
	await write(item, 'one');
	const settling = queue.settle(item);
	await fault.reached;
	await write(item, 'two');
	const [, second] = (await readJournal(staging.directory)).records;
	const obstacle = join(staging.directory, `${second?.id}.json.tmp`);
	await mkdir(obstacle);
	fault.release();
	await t.throwsAsync(settling, {name: 'FsError'});
	t.true(events.some(event => event.event === 'upload failed' && !event.isFinal));
	await rmdir(obstacle);
	await eventually(t, 'S3 has the newest', async () => (await objectText(bucket, 'file')) === 'two');
	await queue.idle();
	t.deepEqual(await readdir(staging.directory), []);
	t.is(staging.usedBytes, 0);
});

for (const [isOpen, wasToldOfFailure, what] of [
	[true, false, 'stays when somebody has the file open'],
	[false, true, 'is dropped when a close reported it'],
	[false, false, 'is kept for a person when nobody was told'],
] as const) {
	test(`what S3 refuses for good ${what}`, async t => {
		const {store, queue, steps, events, add} = await start(t);
		const item = await add('file');
		await write(item, 'content');
		Object.assign(item, {isOpen, wasToldOfFailure});
		store.inject({method: 'put', error: 'invalidRequest'});
		await t.throwsAsync(queue.settle(item), {name: 'StoreError'});
		t.is(item.layers.isEmpty, !isOpen);
		t.deepEqual(steps, isOpen ? ['file ended'] : ['file dropped', 'file ended']);
		const [event] = events;
		t.true(event?.event === 'upload failed' && event.isFinal);
		const keptAt = event?.event === 'upload failed' ? event.keptAt : undefined;
		t.is(
			keptAt === undefined ? undefined : await readFile(keptAt, 'utf8'),
			isOpen || wasToldOfFailure ? undefined : 'content',
		);
	});
}

test('what S3 does not allow is tried again while nobody was told, and is final for who waits for it', async t => {
	const {bucket, store, queue, steps, events, add} = await start(t);
	const [background, awaited] = [await add('background'), await add('awaited')];
	const fault = store.inject({method: 'put', error: 'accessDenied'});
	for (const item of [background, awaited]) {
		item.isOpen = false;
		await write(item, 'content');
		await t.throwsAsync(queue.settle(item, {isWaitedFor: item === awaited}), {code: 'accessDenied'} as object);
		t.is(item.layers.isEmpty, item === awaited);
	}

	t.deepEqual(
		events.map(event => (event.event === 'upload failed' ? [event.path, event.isFinal] : event)).slice(0, 1),
		[['background', false]],
	);
	fault.remove();
	await eventually(t, 'S3 has it', async () => (await objectText(bucket, 'background')) === 'content');
	await queue.idle();
	t.is(await objectText(bucket, 'awaited'), undefined);
	t.false(steps.includes('background dropped'));
});

test('a version is not replaced while a copy from it waits for its permission', async t => {
	const {bucket, store, queue, add} = await start(t);
	const [source, copy] = [await add('source', 'content'), await add('copy')];
	const object = source.layers.base!; // It was made with one.
	copy.layers.writable().setSource(0, 7, {kind: 'object', object, objectOffset: 0});
	await seal(copy);
	await write(source, 'CHANGED');
	const faults = (['put', 'copy', 'createMultipartUpload'] as const).map(method =>
		store.inject({method, key: 'copy', error: 'accessDenied'}),
	);
	await t.throwsAsync(queue.settle(source), {code: 'accessDenied'} as object);
	t.is(await objectText(bucket, 'source'), 'content');
	for (const fault of faults) {
		fault.remove();
	}

	await eventually(t, 'both are stored', async () => (await objectText(bucket, 'source')) === 'CHANGED');
	t.is(await objectText(bucket, 'copy'), 'content');
});

test('while an item is withheld nothing of it becomes visible; who settles it waits, and has it stored then', async t => {
	const {bucket, store, queue, add} = await start(t);
	const item = await add('file', 'old');
	await write(item, 'new');
	const fault = store.inject({method: 'head', isBlocked: true});
	const refused = store.inject({method: 'put', error: 'preconditionFailed', countMax: 1});
	const settling = queue.settle(item);
	await fault.reached;
	const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const withholding = queue.withhold(item, async () => {
		begun.resolve();
		await gate.promise;
	});
	fault.remove();
	await begun.promise;
	const putCount = refused.hitCount;
	const puts = store.inject({method: 'put'});
	const settlingToo = queue.settle(item);
	queue.start(item);
	await queue.idle();
	t.deepEqual([putCount, puts.hitCount], [1, 0]);
	t.is(await objectText(bucket, 'file'), 'old');
	gate.resolve();
	await Promise.all([withholding, settling, settlingToo]);
	t.is(await objectText(bucket, 'file'), 'new');
	t.is(puts.hitCount, 1);
	t.is(item.unreportedError, undefined);
});

test('a task that fails withholds an item no longer', async t => {
	const {bucket, queue, add} = await start(t);
	const item = await add('file');
	await write(item, 'new');
	await t.throwsAsync(
		queue.withhold(item, async () => {
			throw new Error('S3 said no');
		}),
		{message: 'S3 said no'},
	);
	await queue.settle(item);
	t.is(await objectText(bucket, 'file'), 'new');
});

test('an upload that waits for one that is stopped goes on when that is over', async t => {
	const {bucket, store, queue, add} = await start(t);
	const source = await add('source', 'content');
	const copy = await add('copy');
	copy.layers.writable().setSource(0, 7, {kind: 'object', object: source.layers.base!, objectOffset: 0});
	await seal(copy);
	await write(source, 'CHANGED');
	const fault = store.inject({key: 'copy', isBlocked: true});
	const refused = store.inject({key: 'copy', method: ['put', 'copy'], error: 'preconditionFailed', countMax: 1});
	const settling = queue.settle(source);
	await fault.reached;
	const withholding = queue.withhold(copy, async () => copy.layers.forgetJournal());
	fault.remove();
	await Promise.all([withholding, settling]);
	t.is(refused.hitCount, 1);
	t.is(await objectText(bucket, 'source'), 'CHANGED');
	t.is(await objectText(bucket, 'copy'), undefined);
});

test('files that were copied from the version that is to be replaced go first', async t => {
	const {bucket, queue, steps, add} = await start(t);
	const [source, copy] = [await add('source', 'content'), await add('copy')];
	const object = source.layers.base!; // It was made with one.
	copy.layers.writable().setSource(0, 7, {kind: 'object', object, objectOffset: 0});
	await seal(copy);
	await write(source, 'CHANGED');
	await queue.settle(source);
	t.deepEqual(steps, ['copy stored', 'copy ended', 'source stored', 'source ended']);
	t.is(await objectText(bucket, 'copy'), 'content');
	t.is(await objectText(bucket, 'source'), 'CHANGED');
});

test('two files that were copied from each other do not wait for each other', async t => {
	const {bucket, queue, add} = await start(t);
	const [a, b] = [await add('a', 'of a'), await add('b', 'of b')];
	for (const [to, from] of [
		[a, b],
		[b, a],
	] as const) {
		to.layers.writable().setSource(0, 4, {kind: 'object', object: from.layers.base!, objectOffset: 0}); // Both have one.
	}

	await seal(a);
	await seal(b);
	await Promise.allSettled([queue.settle(a), queue.settle(b)]);
	const texts = [await objectText(bucket, 'a'), await objectText(bucket, 'b')];
	t.true(texts.includes('of a') || texts.includes('of b'));
});

test('after close() nothing is begun, and what was on its way stays', async t => {
	const {bucket, store, queue, add} = await start(t);
	const item = await add('file');
	await write(item, 'content');
	const fault = store.inject({method: 'put', isBlocked: true});
	const settling = queue.settle(item);
	await fault.reached;
	await Promise.all([queue.close(), t.throwsAsync(settling, {code: 'aborted'} as object)]);
	await t.throwsAsync(queue.settle(item), {message: /Cannot upload file: the volume is being unmounted/});
	t.is(await objectText(bucket, 'file'), undefined);
	t.is(item.layers.next?.mayBeStored, true);
});
