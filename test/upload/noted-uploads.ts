import {readdir, rmdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {createFaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {NotedUploads} from '../../src/upload/noted-uploads.ts';
import {createStagingDirectory, eventually} from '../support/volume-nodes.ts';

const part = Buffer.from('content');

test('an upload has a note until it is completed or aborted', async t => {
	const directory = await createStagingDirectory(t);
	const store = createMemoryObjectStore();
	const uploads = await NotedUploads.open({store, directory});
	const completed = await uploads.createMultipartUpload('a', {});
	const aborted = await uploads.createMultipartUpload('b', {});
	t.is((await readdir(directory)).length, 2);
	await uploads.completeMultipartUpload(completed, [await store.uploadPart(completed, 1, part)], {});
	await uploads.abortMultipartUpload(aborted);
	t.deepEqual(await readdir(directory), []);
});

test('a start aborts what has a note, and removes notes that are not whole', async t => {
	const directory = await createStagingDirectory(t);
	const store = createMemoryObjectStore();
	await (await NotedUploads.open({store, directory})).createMultipartUpload('a', {});
	await writeFile(join(directory, 'half.upload'), '{"key":"a","upl');
	await writeFile(join(directory, 'other.data'), '');
	const other = await store.createMultipartUpload('a');
	await (await NotedUploads.open({store, directory})).close();
	t.deepEqual(await readdir(directory), ['other.data']);
	t.is(store.openUploadCount, 1);
	await t.notThrowsAsync(store.uploadPart(other, 1, part));
});

test('what S3 did not abort at a start is aborted after the next abort, or at the next start', async t => {
	const directory = await createStagingDirectory(t);
	const bucket = createMemoryObjectStore();
	const store = createFaultyObjectStore(bucket);
	await (await NotedUploads.open({store, directory})).createMultipartUpload('a', {});
	store.inject({method: 'abortMultipartUpload', error: 'unavailable', countMax: 1});
	const uploads = await NotedUploads.open({store, directory});
	await uploads.close();
	t.is((await readdir(directory)).length, 1);
	await uploads.abortMultipartUpload(await uploads.createMultipartUpload('b', {}));
	await eventually(t, 'both are aborted', async () => (await readdir(directory)).length === 0);
	t.is(bucket.openUploadCount, 0);
});

test('without a note, as on a full disk, an upload goes on', async t => {
	const directory = await createStagingDirectory(t);
	const store = createMemoryObjectStore();
	const uploads = await NotedUploads.open({store, directory});
	await rmdir(directory); // As good as a full disk: the note cannot be written.
	const upload = await uploads.createMultipartUpload('a', {});
	await uploads.completeMultipartUpload(upload, [await store.uploadPart(upload, 1, part)], {});
	t.is((await store.head('a'))?.sizeBytes, part.length);
});

test('an upload that S3 does not allow to abort has no note any more', async t => {
	const directory = await createStagingDirectory(t);
	const store = createFaultyObjectStore(createMemoryObjectStore());
	const uploads = await NotedUploads.open({store, directory});
	const upload = await uploads.createMultipartUpload('a', {});
	store.inject({method: 'abortMultipartUpload', error: 'accessDenied'});
	await uploads.abortMultipartUpload(upload);
	t.deepEqual(await readdir(directory), []);
});
