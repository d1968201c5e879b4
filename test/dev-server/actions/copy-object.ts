import {randomBytes} from 'node:crypto';
import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {
	CopyObjectCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	HeadObjectCommand,
	PutObjectCommand,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';

const data = randomBytes(300_000);

const withSource = async (t: ExecutionContext) => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	await client.send(
		new PutObjectCommand({
			Bucket: place.bucket,
			Key: 'dir/so urce+&',
			Body: data,
			ContentType: 'text/x-foo',
			Metadata: {a: '1'},
			Tagging: 'k=v',
			CacheControl: 'no-cache',
		}),
	);
	return {
		client,
		...place,
		CopySource: `${place.bucket}/dir/${encodeURIComponent('so urce+&')}`,
		read: async (Key: string) =>
			Buffer.from(
				await (await client.send(new GetObjectCommand({Bucket: place.bucket, Key}))).Body!.transformToByteArray(),
			),
	};
};

test('CopyObject keeps bytes, etag, metadata, tags and content type', async t => {
	const {client, bucket, CopySource, read} = await withSource(t);
	const {CopyObjectResult} = await client.send(new CopyObjectCommand({Bucket: bucket, Key: 'copy', CopySource}));
	const head = await client.send(new HeadObjectCommand({Bucket: bucket, Key: 'copy'}));
	t.is(head.ETag, CopyObjectResult!.ETag);
	t.deepEqual(head.Metadata, {a: '1'});
	t.is(head.ContentType, 'text/x-foo');
	t.is(head.CacheControl, 'no-cache');
	t.is(head.TagCount, 1);
	t.true((await read('copy')).equals(data));
});

test('CopyObject with REPLACE takes the attributes of the request, also onto itself', async t => {
	const {client, bucket, CopySource, read} = await withSource(t);
	const Key = 'dir/so urce+&';
	await client.send(
		new CopyObjectCommand({
			Bucket: bucket,
			Key,
			CopySource,
			MetadataDirective: 'REPLACE',
			Metadata: {b: '2'},
			ContentType: 'a/b',
		}),
	);
	const head = await client.send(new HeadObjectCommand({Bucket: bucket, Key}));
	t.deepEqual(head.Metadata, {b: '2'});
	t.is(head.ContentType, 'a/b');
	t.is(head.CacheControl, undefined);
	t.true((await read(Key)).equals(data));
	await t.throwsAsync(client.send(new CopyObjectCommand({Bucket: bucket, Key, CopySource})), {name: 'InvalidRequest'});
});

test('CopyObject refuses a source that is missing or malformed', async t => {
	const {client, bucket} = await withSource(t);
	const copy = (CopySource: string) => client.send(new CopyObjectCommand({Bucket: bucket, Key: 'copy', CopySource}));
	await t.throwsAsync(copy(`${bucket}/none`), {name: 'NoSuchKey'});
	await t.throwsAsync(copy('missing-bucket/none'), {name: 'NoSuchBucket'});
	await t.throwsAsync(copy(bucket), {name: 'InvalidArgument'});
	await t.throwsAsync(copy(`${bucket}/%zz`), {name: 'InvalidArgument'});
});

test('a copy shares the bytes on disk, and the last of them to go removes the file', async t => {
	const {client, bucket, CopySource, directory, read} = await withSource(t);
	const blobCount = async () => (await readdir(join(directory, 'blobs'))).length;
	t.is(await blobCount(), 1);
	await client.send(new CopyObjectCommand({Bucket: bucket, Key: 'copy', CopySource}));
	t.is(await blobCount(), 1);
	await client.send(new DeleteObjectCommand({Bucket: bucket, Key: 'dir/so urce+&'}));
	t.true((await read('copy')).equals(data));
	await client.send(new DeleteObjectCommand({Bucket: bucket, Key: 'copy'}));
	t.is(await blobCount(), 0);
});
