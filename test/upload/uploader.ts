import test, {type ExecutionContext} from 'ava';
import {StoreError} from '../../src/model/store-error.ts';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import type {ObjectHead, ObjectStore} from '../../src/store/object-store.ts';
import type {StagedLayer} from '../../src/upload/staged-layer.ts';
import type {UploadOutcome} from '../../src/upload/uploader.ts';
import {putText, readFrom} from './support/layer-stack.ts';
import {countAtOnce} from '../support/count-at-once.ts';
import {openStaging} from './support/staging.ts';
import {objectText} from '../support/volume-nodes.ts';
import {createTestUploader} from './support/uploader.ts';

const mebibyte = 2 ** 20;

/** A sealed layer over an object: bytes at offsets of it. */
const layerOver = async (
	t: ExecutionContext,
	base: ObjectHead | undefined,
	writes: ReadonlyArray<[offset: number, text: string]>,
): Promise<StagedLayer> => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: base?.sizeBytes ?? 0});
	for (const [offset, text] of writes) {
		await layer.write(offset, Buffer.from(text), {isAppend: false});
	}

	layer.seal();
	t.teardown(async () => staging.close());
	return layer;
};

const start = ({isVersioned = false} = {}) => {
	const bucket = createMemoryObjectStore({isVersioned});
	const store = createFaultyObjectStore(bucket);
	const warnings: string[] = [];
	const createUploader = (inner: ObjectStore = store) =>
		createTestUploader({
			store: inner,
			readObject: readFrom(store),
			partBytes: 5 * mebibyte,
			memoryBytesMax: 20 * mebibyte,
			onUselessConditions: () => void warnings.push('useless'),
		});
	const uploader = createUploader();
	const upload = async (
		layer: StagedLayer,
		base: ObjectHead | undefined,
		options: {mayBeStored?: boolean; stopSignal?: AbortSignal; metadata?: Record<string, string>} = {},
	): Promise<UploadOutcome> =>
		uploader.upload({key: 'file', layer, base, metadata: {'file-mtime': '5ns'}, contentType: 'text/x', ...options});
	return {bucket, store, warnings, createUploader, upload};
};

test('a new file is one PUT, and the outcome is the object as S3 has it', async t => {
	const {bucket, store, upload} = start();
	const {head, movedBytes, hasConflict} = await upload(await layerOver(t, undefined, [[2, 'content']]), undefined);
	t.is(await objectText(bucket, 'file'), '\0\0content');
	t.deepEqual({movedBytes, hasConflict}, {movedBytes: 0, hasConflict: false});
	t.like(await bucket.head('file'), {etag: head.etag, sizeBytes: 9, metadata: head.metadata, contentType: 'text/x'});
	t.deepEqual(
		store.calls.map(({method}) => method),
		['put'],
	);
});

test('appended bytes go behind the new end when the file grew, came or went elsewhere', async t => {
	for (const [was, became] of [
		['base ', 'base and more '],
		['base ', undefined],
		['base ', ''],
	] as const) {
		const {bucket, upload} = start();
		const base = await putText(bucket, 'file', was);
		const layer = await layerOver(t, base, [[base.sizeBytes, 'mine']]);
		await (became === undefined ? bucket.delete('file') : bucket.put('file', Buffer.from(became)));
		const outcome = await upload(layer, base);
		t.is(await objectText(bucket, 'file'), `${became ?? ''}mine`);
		t.is(outcome.movedBytes, (became ?? '').length - base.sizeBytes);
		t.false(outcome.hasConflict);
		t.is(outcome.head.sizeBytes, (became ?? '').length + 4);
	}
});

test('any other change that meets one from elsewhere wins with its whole version, and says so', async t => {
	const {bucket, upload} = start({isVersioned: true});
	const base = await putText(bucket, 'file', 'base');
	const layer = await layerOver(t, base, [[1, 'X']]);
	await putText(bucket, 'file', 'from elsewhere');
	t.like(await upload(layer, base), {movedBytes: 0, hasConflict: true});
	t.is(await objectText(bucket, 'file'), 'bXse');
});

test('without the bytes that it needs an upload fails and changes nothing', async t => {
	const {bucket, upload} = start();
	const base = await putText(bucket, 'file', 'base');
	const layer = await layerOver(t, base, [[1, 'X']]);
	await putText(bucket, 'file', 'from elsewhere');
	await t.throwsAsync(upload(layer, base), {message: /bytes that the new version needs were changed or deleted/});
	t.is(await objectText(bucket, 'file'), 'from elsewhere');
});

test('an upload whose answer was lost is recognized; one that another wrote is not', async t => {
	const {bucket, store, upload} = start();
	const layer = await layerOver(t, undefined, [[0, 'content']]);
	const lost = store.inject({method: 'put', when: 'after', error: 'unavailable', countMax: 1});
	await t.throwsAsync(upload(layer, undefined), {name: 'StoreError'});
	lost.remove();
	const stored = await bucket.head('file');
	t.like(await upload(layer, undefined, {mayBeStored: true}), {hasConflict: false, head: {etag: stored?.etag}});
	t.is((await bucket.head('file'))?.etag, stored?.etag);
	// Without a time in the metadata, the bytes are compared.
	await bucket.put('file', Buffer.from('CONTENT'));
	t.like(await upload(layer, undefined, {mayBeStored: true, metadata: {}}), {hasConflict: true});
	t.is(await objectText(bucket, 'file'), 'content');
	const again = await bucket.head('file');
	await upload(layer, undefined, {mayBeStored: true, metadata: {}});
	t.is((await bucket.head('file'))?.lastModifiedMs, again?.lastModifiedMs);
});

test('of a large file with a small change the server copies what did not change, and no part stays after a failure', async t => {
	const {bucket, store, upload} = start();
	const text = 'x'.repeat(16 * mebibyte);
	const base = await putText(bucket, 'file', text);
	const layer = await layerOver(t, base, [[3, 'change']]);
	const fault = store.inject({method: 'completeMultipartUpload', error: 'unavailable', countMax: 1});
	await t.throwsAsync(upload(layer, base), {name: 'StoreError'});
	t.is(bucket.openUploadCount, 0);
	fault.remove();
	store.calls.length = 0;
	await upload(layer, base);
	t.is(await objectText(bucket, 'file'), `xxxchange${text.slice(9)}`);
	t.is(bucket.openUploadCount, 0);
	const count = (name: string) => store.calls.filter(({method}) => method === name).length;
	t.deepEqual([count('uploadPart'), count('uploadPartCopy'), count('put')], [1, 1, 0]);
});

test('an upload that is told to stop makes nothing visible and leaves no parts', async t => {
	const {bucket, store, upload} = start();
	const stop = new AbortController();
	const layer = await layerOver(t, undefined, [[12 * mebibyte, 'end']]);
	const fault = store.inject({method: 'uploadPart', isBlocked: true, skipCount: 1});
	const uploading = upload(layer, undefined, {stopSignal: stop.signal});
	await fault.reached;
	stop.abort();
	await t.throwsAsync(uploading, {code: 'aborted'} as object);
	t.is(bucket.openUploadCount, 0);
	t.is(await bucket.head('file'), undefined);
	await t.throwsAsync(upload(layer, undefined, {stopSignal: stop.signal}), {code: 'aborted'} as object);
});

test('on a server that refuses conditions that hold the object is compared before each write', async t => {
	const {bucket, warnings, createUploader} = start();
	let conditionCount = 0;
	const strange = new Proxy<ObjectStore>(bucket, {
		get(inner, name) {
			if (name === 'put') {
				return async (...[key, body, request]: Parameters<ObjectStore['put']>) => {
					if (request?.ifMatch !== undefined) {
						conditionCount++;
						throw new StoreError('preconditionFailed', `Cannot write "${key}"`);
					}

					return inner.put(key, body, request);
				};
			}

			const value: unknown = Reflect.get(inner, name);
			return typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(inner) : value;
		},
	});
	const uploader = createUploader(strange);
	const request = {key: 'file', metadata: {}, contentType: undefined};
	const base = await putText(bucket, 'file', 'base');
	const outcome = await uploader.upload({...request, base, layer: await layerOver(t, base, [[0, 'BASE']])});
	t.is(await objectText(bucket, 'file'), 'BASE');
	t.deepEqual(warnings, ['useless']);
	const triedCount = conditionCount;
	const layer = await layerOver(t, outcome.head, [[4, ' more']]);
	await putText(bucket, 'file', 'from elsewhere');
	t.like(await uploader.upload({...request, base: outcome.head, layer}), {movedBytes: 10});
	t.is(await objectText(bucket, 'file'), 'from elsewhere more');
	t.is(conditionCount, triedCount);
	t.deepEqual(warnings, ['useless']);
});

test('a server that takes parts of one size only gets them', async t => {
	const {bucket, store, upload} = start();
	const base = await bucket.head(await putLarge(bucket));
	store.inject({
		method: 'completeMultipartUpload',
		error: new StoreError('invalidRequest', 'All non-trailing parts must have the same length.', {
			s3Code: 'InvalidPart',
		}),
		countMax: 1,
	});
	await upload(await layerOver(t, base, [[7 * mebibyte, 'changed']]), base);
	t.is(store.callCount('createMultipartUpload'), 2);
	t.is(bucket.openUploadCount, 0);
	const text = (await objectText(bucket, 'file')) ?? '';
	t.is(text.length, 17 * mebibyte);
	t.is(text.slice(7 * mebibyte - 2, 7 * mebibyte + 9), 'xxchangedxx');
	// The first part, as it fits, and the last two are copies; the one with the change is sent.
	t.is(
		store.calls
			.slice(store.calls.findLastIndex(({method}) => method === 'createMultipartUpload'))
			.filter(({method}) => method === 'uploadPartCopy').length,
		3,
	);
});

test('a completed upload whose answer was lost is known by its id, whatever its etag is', async t => {
	const {bucket, store, upload} = start();
	const base = await bucket.head(await putLarge(bucket));
	store.inject({method: 'completeMultipartUpload', when: 'after', error: 'notFound', countMax: 1});
	const layer = await layerOver(t, base, [[17 * mebibyte, 'appended']]);
	const {head, movedBytes} = await upload(layer, base);
	t.deepEqual({movedBytes, sizeBytes: head.sizeBytes}, {movedBytes: 0, sizeBytes: 17 * mebibyte + 8});
	t.is((await objectText(bucket, 'file'))?.slice(-10), 'xxappended');
});

test('the parts on their way take no more memory than is given, of all files together', async t => {
	const {bucket, createUploader} = start();
	const counted = countAtOnce(bucket, 'uploadPart');
	const uploader = createUploader(counted.store);
	const layers = [
		await layerOver(t, undefined, [[38 * mebibyte, 'end']]),
		await layerOver(t, undefined, [[38 * mebibyte, 'end']]),
	];
	await Promise.all(
		layers.map(async (layer, index) =>
			uploader.upload({key: `file ${index}`, layer, base: undefined, metadata: {}, contentType: undefined}),
		),
	);
	t.is(counted.most(), 4, '20 MiB are four parts');
	t.is((await bucket.head('file 1'))?.sizeBytes, 38 * mebibyte + 3);
});

const putLarge = async (bucket: ObjectStore): Promise<string> => {
	await bucket.put('file', Buffer.alloc(17 * mebibyte, 'x'));
	return 'file';
};
