import test from 'ava';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';
import {toText} from '../support/store-answers.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** As Ceph 16. */
const ignoredConditions = ['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload', 'DeleteObject', 'DeleteObjects'];

test('copies and completions on a server that ignores their conditions replace nothing that was there before', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.ignoredConditions = ignoredConditions;
	const old = await store.put('to', bytes('old'));
	const {etag} = await store.put('to', bytes('of another node'));
	await store.put('from', bytes('copied'));
	await throwsStoreError(t, 'preconditionFailed', store.copy({key: 'from'}, 'to', {ifNoneMatch: '*'}));
	await throwsStoreError(t, 'preconditionFailed', store.copy({key: 'from'}, 'to', {ifMatch: old.etag}));
	for (const condition of [{ifNoneMatch: '*'}, {ifMatch: old.etag}] as const) {
		const upload = await store.createMultipartUpload('to');
		const parts = [await store.uploadPart(upload, 1, bytes('uploaded'))];
		await throwsStoreError(t, 'preconditionFailed', store.completeMultipartUpload(upload, parts, condition));
	}

	t.is(await toText(await store.get('to')), 'of another node');
	await store.copy({key: 'from'}, 'to', {ifMatch: etag});
	await store.copy({key: 'from'}, 'new', {ifNoneMatch: '*'});
	t.is(await toText(await store.get('to')), 'copied');
	t.is(await toText(await store.get('new')), 'copied');
});

test('a copy on such a server takes no bytes of another version than the one that is meant', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.ignoredConditions = ignoredConditions;
	const {etag} = await store.put('from', bytes('meant'));
	await store.copy({key: 'from', etag}, 'to');
	await store.put('from', bytes('other'));
	await throwsStoreError(t, 'preconditionFailed', store.copy({key: 'from', etag}, 'to'));
	const upload = await store.createMultipartUpload('large');
	await throwsStoreError(
		t,
		'preconditionFailed',
		store.uploadPartCopy(upload, 1, {key: 'from', etag}, {start: 0, end: 5}),
	);
	t.is(await toText(await store.get('to')), 'meant');
});

test('a server that knows the conditions of deletions is not asked before each copy', async t => {
	const {store, server} = await startTestS3Store(t);
	const {etag} = await store.put('file', bytes('x'));
	for (const key of ['one', 'two']) {
		await store.copy({key: 'file', etag}, key, {ifNoneMatch: '*'});
	}

	t.is(server.requests.count({operation: 'HeadObject'}), 0);
	t.is(server.requests.count({operation: 'DeleteObject'}), 1, 'The question, once');
});
