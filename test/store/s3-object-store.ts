import test from 'ava';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('put() with If-None-Match succeeds when the answer to its own write was lost', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.drops = [{operation: 'PutObject', when: 'after', count: 1}];
	const {etag} = await store.put('lock', [], {ifNoneMatch: '*', metadata: {owner: 'a'}});
	t.deepEqual(
		server.requests.list({key: 'lock'}).map(({operation, status}) => [operation, status]),
		[
			['PutObject', 0],
			['PutObject', 412],
			['HeadObject', 200],
		],
	);
	t.like(await store.head('lock'), {etag, metadata: {owner: 'a'}});
});

test('put() with If-None-Match fails when its write was lost and another one with equal bytes came first', async t => {
	const {store, server} = await startTestS3Store(t, {attemptCountMax: 1000});
	await store.put('template', [], {metadata: {owner: 'a'}});
	server.faults.errors = [{operation: 'PutObject', status: 500, code: 'InternalError'}];
	const writing = store.put('lock', [], {ifNoneMatch: '*', metadata: {owner: 'a'}});
	while (server.requests.count({operation: 'PutObject', key: 'lock'}) === 0) {
		await new Promise(setImmediate);
	}

	await store.copy({key: 'template'}, 'lock'); // Another writer's object, alike in every byte and in its metadata.
	server.faults.errors = [];
	await throwsStoreError(t, 'preconditionFailed', writing);
});

test('put() with If-Match succeeds when the answer to its own write was lost', async t => {
	const {store, server} = await startTestS3Store(t);
	const first = await store.put('file', bytes('one'));
	server.faults.drops = [{operation: 'PutObject', when: 'after', count: 1}];
	const second = await store.put('file', bytes('two'), {ifMatch: first.etag});
	t.is((await store.head('file'))?.etag, second.etag);
});

test('put() without a lost answer asks nothing after a refusal', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('file', bytes('one'));
	server.requests.clear();
	await throwsStoreError(t, 'preconditionFailed', store.put('file', bytes('one'), {ifNoneMatch: '*'}));
	t.is(server.requests.count(), 1);
});

test('put() is tried again after 409 ConditionalRequestConflict, which says nothing about who won', async t => {
	const {store, server} = await startTestS3Store(t, {attemptCountMax: 5});
	server.faults.errors = [{operation: 'PutObject', status: 409, code: 'ConditionalRequestConflict', count: 1}];
	await store.put('lock', bytes('mine'), {ifNoneMatch: '*'});
	t.is(server.requests.count({operation: 'PutObject'}), 2);
	server.faults.errors = [{operation: 'PutObject', status: 409, code: 'ConditionalRequestConflict'}];
	await throwsStoreError(t, 'preconditionFailed', store.put('other', bytes('mine'), {ifNoneMatch: '*'}));
});

test('copy() with If-None-Match succeeds when the answer to its own copy was lost', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('from', bytes('content'), {metadata: {a: '1'}});
	server.faults.drops = [{operation: 'CopyObject', when: 'after', count: 1}];
	await store.copy({key: 'from'}, 'to', {ifNoneMatch: '*'});
	server.faults.drops = [{operation: 'CopyObject', when: 'after', count: 1}];
	await store.copy({key: 'from'}, 'replaced', {ifNoneMatch: '*', replace: {metadata: {b: '2'}}});
	t.deepEqual((await store.head('replaced'))?.metadata, {b: '2'});
});

test('copy() with If-None-Match fails when something else is at its destination', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('from', bytes('content'), {metadata: {a: '1'}});
	await store.put('to', bytes('content'), {metadata: {a: '2'}});
	server.faults.drops = [{operation: 'CopyObject', when: 'before', count: 1}];
	await throwsStoreError(t, 'preconditionFailed', store.copy({key: 'from'}, 'to', {ifNoneMatch: '*'}));
	t.deepEqual((await store.head('to'))?.metadata, {a: '2'});
});

test('completeMultipartUpload() succeeds when the answer to its own completion was lost', async t => {
	const {store, server} = await startTestS3Store(t);
	for (const ifNoneMatch of [undefined, '*'] as const) {
		const key = `large ${ifNoneMatch}`;
		const upload = await store.createMultipartUpload(key);
		const parts = [await store.uploadPart(upload, 1, bytes('only part'))];
		server.faults.drops = [{operation: 'CompleteMultipartUpload', when: 'after', count: 1}];
		const {etag} = await store.completeMultipartUpload(upload, parts, {ifNoneMatch});
		t.like(await store.head(key), {etag, sizeBytes: 9});
	}
});

test('completeMultipartUpload() fails with notFound when another object took the place of its own', async t => {
	const {store} = await startTestS3Store(t);
	const upload = await store.createMultipartUpload('large');
	const parts = [await store.uploadPart(upload, 1, bytes('only part'))];
	await store.abortMultipartUpload(upload);
	await store.put('large', bytes('only part'));
	await throwsStoreError(t, 'notFound', store.completeMultipartUpload(upload, parts));
});

test('delete() succeeds when the answer was lost', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('file', bytes('x'));
	server.faults.drops = [{operation: 'DeleteObject', when: 'after', count: 1}];
	await store.delete('file');
	t.is(await store.head('file'), undefined);
});

test('delete() with an etag leaves what took the place of the version that an attempt without an answer deleted', async t => {
	const {store, server} = await startTestS3Store(t, {attemptCountMax: 1000});
	const {etag} = await store.put('file', bytes('old'));
	await store.delete('absent', {ifMatch: etag}); // The server is asked once whether it knows this.
	server.faults.errors = [{operation: 'DeleteObject', status: 500, code: 'InternalError'}];
	const deleting = store.delete('file', {ifMatch: etag});
	while (server.requests.count({operation: 'DeleteObject', key: 'file'}) === 0) {
		await new Promise(setImmediate);
	}

	await store.put('file', bytes('of another node'));
	server.faults.errors = [];
	await deleting;
	t.is((await store.head('file'))?.sizeBytes, 15);
});
