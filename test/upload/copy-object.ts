import test from 'ava';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import type {ByteRange, ObjectHead, ObjectStore} from '../../src/store/object-store.ts';
import {copyObject} from '../../src/upload/copy-object.ts';
import {putText} from './support/layer-stack.ts';
import {objectText} from '../support/volume-nodes.ts';

test('an object is copied in one request, with its attributes or with others, as long as it is the one that is meant', async t => {
	const bucket = createMemoryObjectStore();
	const source = await putText(bucket, 'source', 'content');
	await copyObject(bucket, source, 'copy', {ifNoneMatch: '*'});
	t.is(await objectText(bucket, 'copy'), 'content');
	await t.throwsAsync(copyObject(bucket, source, 'copy', {ifNoneMatch: '*'}), {name: 'StoreError'});
	await copyObject(bucket, source, 'copy', {replace: {metadata: {key: 'value'}, contentType: 'text/x'}});
	t.like(await bucket.head('copy'), {metadata: {key: 'value'}, contentType: 'text/x'});
	await putText(bucket, 'source', 'changed');
	await t.throwsAsync(copyObject(bucket, source, 'other'), {name: 'StoreError'});
});

test('an object over 5 GiB is copied in parts of 1 GiB, and its attributes with it', async t => {
	const bucket = createMemoryObjectStore();
	const small = await putText(bucket, 'source', 'x');
	const source: ObjectHead = {...small, sizeBytes: 5 * 2 ** 30 + 1, metadata: {key: 'value'}};
	const ranges: ByteRange[] = [];
	// A part of the small object stands for each range of the one that is too large for a test.
	const store = createFaultyObjectStore(
		new Proxy<ObjectStore>(bucket, {
			get(inner, name) {
				if (name === 'uploadPartCopy') {
					return async (...[upload, partNumber, , range]: Parameters<ObjectStore['uploadPartCopy']>) => {
						ranges.push(range);
						return inner.uploadPart(upload, partNumber, Buffer.alloc(5 * 2 ** 20));
					};
				}

				const value: unknown = Reflect.get(inner, name);
				return typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(inner) : value;
			},
		}),
	);
	const fault = store.inject({method: 'uploadPartCopy', error: 'unavailable', skipCount: 2});
	await t.throwsAsync(copyObject(store, source, 'copy'), {name: 'StoreError'});
	t.is(bucket.openUploadCount, 0);
	t.is(await bucket.head('copy'), undefined);
	fault.remove();
	ranges.length = 0;
	await copyObject(store, source, 'copy', {ifNoneMatch: '*'});
	t.like(await bucket.head('copy'), {metadata: {key: 'value'}, sizeBytes: 6 * 5 * 2 ** 20});
	const sorted = ranges.toSorted((a, b) => a.start - b.start);
	t.deepEqual(
		sorted.map(({start}) => start),
		[0, 1, 2, 3, 4, 5].map(count => count * 2 ** 30),
	);
	t.deepEqual(
		sorted.map(({end}) => end),
		[1, 2, 3, 4, 5].map(count => count * 2 ** 30).concat(source.sizeBytes),
	);
	await t.throwsAsync(copyObject(store, source, 'copy', {ifNoneMatch: '*'}), {name: 'StoreError'});
	t.is(bucket.openUploadCount, 0);
});
