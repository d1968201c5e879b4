import {
	CompleteMultipartUploadCommand,
	CopyObjectCommand,
	CreateMultipartUploadCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	HeadObjectCommand,
	PutObjectCommand,
	UploadPartCommand,
	type S3Client,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, startTestDevServer} from '../support/dev-server.ts';

const wrongEtag = '"00000000000000000000000000000000"';
const failed = {name: 'PreconditionFailed'};

type Place = {client: S3Client; bucket: string; etag: string; text: () => Promise<string>};

const withObject = async (t: ExecutionContext): Promise<Place> => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	const {ETag} = await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'a', Body: 'first'}));
	return {
		client,
		bucket: place.bucket,
		etag: ETag!,
		text: async () =>
			(await client.send(new GetObjectCommand({Bucket: place.bucket, Key: 'a'}))).Body!.transformToString(),
	};
};

test('PutObject with If-None-Match: * stores a new key and leaves an existing one as it is', async t => {
	const {client, bucket, text} = await withObject(t);
	await t.throwsAsync(
		client.send(new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'second', IfNoneMatch: '*'})),
		failed,
	);
	t.is(await text(), 'first');
	await t.notThrowsAsync(
		client.send(new PutObjectCommand({Bucket: bucket, Key: 'b', Body: 'second', IfNoneMatch: '*'})),
	);
});

test('of 16 PutObject with If-None-Match: * at once exactly one wins', async t => {
	const {client, bucket} = await withObject(t);
	const outcomes = await Promise.allSettled(
		Array.from({length: 16}, (_, index) =>
			client.send(new PutObjectCommand({Bucket: bucket, Key: 'race', Body: `writer ${index}`, IfNoneMatch: '*'})),
		),
	);
	t.is(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 1);
});

test('PutObject with If-Match replaces only the etag that it names, with quotes or without', async t => {
	const {client, bucket, etag, text} = await withObject(t);
	await t.throwsAsync(
		client.send(new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'x', IfMatch: wrongEtag})),
		failed,
	);
	await t.throwsAsync(
		client.send(new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'x', IfMatch: wrongEtag.replaceAll('"', '')})),
		failed,
	);
	t.is(await text(), 'first');
	const {ETag} = await client.send(new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'second', IfMatch: etag}));
	await client.send(
		new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'third', IfMatch: ETag!.replaceAll('"', '')}),
	);
	t.is(await text(), 'third');
});

test('PutObject with If-Match on a missing key is refused with 404', async t => {
	const {client, bucket, etag} = await withObject(t);
	const error = await t.throwsAsync(
		client.send(new PutObjectCommand({Bucket: bucket, Key: 'none', Body: 'x', IfMatch: etag})),
		{name: 'NoSuchKey'},
	);
	t.is((error as unknown as {$metadata: {httpStatusCode: number}}).$metadata.httpStatusCode, 404);
});

test('PutObject with If-None-Match of an etag is refused with NotImplemented', async t => {
	const {client, bucket, etag} = await withObject(t);
	await t.throwsAsync(client.send(new PutObjectCommand({Bucket: bucket, Key: 'a', Body: 'x', IfNoneMatch: etag})), {
		name: 'NotImplemented',
	});
});

test('CopyObject keeps to the conditions on its source and on its target', async t => {
	const {client, bucket, etag} = await withObject(t);
	await client.send(new PutObjectCommand({Bucket: bucket, Key: 'b', Body: 'target'}));
	const copy = (Key: string, conditions: object) =>
		client.send(new CopyObjectCommand({Bucket: bucket, Key, CopySource: `${bucket}/a`, ...conditions}));
	await t.throwsAsync(copy('b', {CopySourceIfMatch: wrongEtag}), failed);
	await t.throwsAsync(copy('b', {CopySourceIfNoneMatch: etag}), failed);
	await t.throwsAsync(copy('b', {IfNoneMatch: '*'}), failed);
	await t.throwsAsync(copy('b', {IfMatch: wrongEtag}), failed);
	await t.throwsAsync(copy('none', {IfMatch: etag}), {name: 'NoSuchKey'});
	t.is(await (await client.send(new GetObjectCommand({Bucket: bucket, Key: 'b'}))).Body!.transformToString(), 'target');
	await t.notThrowsAsync(copy('b', {CopySourceIfMatch: etag}));
	await t.notThrowsAsync(copy('c', {IfNoneMatch: '*'}));
});

test('CompleteMultipartUpload keeps to its conditions, and the upload lives on when they fail', async t => {
	const {client, bucket, etag, text} = await withObject(t);
	const {UploadId} = await client.send(new CreateMultipartUploadCommand({Bucket: bucket, Key: 'a'}));
	const part = await client.send(
		new UploadPartCommand({Bucket: bucket, Key: 'a', UploadId, PartNumber: 1, Body: 'parts'}),
	);
	const complete = (conditions: object) =>
		client.send(
			new CompleteMultipartUploadCommand({
				Bucket: bucket,
				Key: 'a',
				UploadId,
				MultipartUpload: {Parts: [{PartNumber: 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}]},
				...conditions,
			}),
		);
	await t.throwsAsync(complete({IfNoneMatch: '*'}), failed);
	await t.throwsAsync(complete({IfMatch: wrongEtag}), failed);
	t.is(await text(), 'first');
	await t.notThrowsAsync(complete({IfMatch: etag}));
	t.is(await text(), 'parts');
});

test('DeleteObject with If-Match deletes only the etag that it names', async t => {
	const {client, bucket, etag, text} = await withObject(t);
	await t.throwsAsync(client.send(new DeleteObjectCommand({Bucket: bucket, Key: 'a', IfMatch: wrongEtag})), failed);
	t.is(await text(), 'first');
	await t.notThrowsAsync(client.send(new DeleteObjectCommand({Bucket: bucket, Key: 'a', IfMatch: etag})));
	await t.throwsAsync(client.send(new DeleteObjectCommand({Bucket: bucket, Key: 'a', IfMatch: etag})), {
		name: 'NoSuchKey',
	});
});

test('GetObject and HeadObject answer 412 and 304 by etag and by time', async t => {
	const {client, bucket, etag} = await withObject(t);
	const statusOf = async (
		answer: Promise<{$metadata: {httpStatusCode?: number | undefined}}>,
	): Promise<number | undefined> =>
		(await answer.catch((error: unknown) => error as {$metadata: {httpStatusCode?: number}})).$metadata.httpStatusCode;
	const hourMs = 3_600_000;
	const cases: Array<[object, number]> = [
		[{IfMatch: etag}, 200],
		[{IfMatch: wrongEtag}, 412],
		[{IfMatch: `${wrongEtag}, ${etag}`}, 200],
		[{IfMatch: '*'}, 200],
		[{IfNoneMatch: etag}, 304],
		[{IfNoneMatch: wrongEtag}, 200],
		[{IfModifiedSince: new Date(Date.now() + hourMs)}, 304],
		[{IfModifiedSince: new Date(Date.now() - hourMs)}, 200],
		[{IfUnmodifiedSince: new Date(Date.now() - hourMs)}, 412],
		[{IfUnmodifiedSince: new Date(Date.now() + hourMs)}, 200],
		// The etag is the stronger one of each pair.
		[{IfMatch: etag, IfUnmodifiedSince: new Date(Date.now() - hourMs)}, 200],
		[{IfNoneMatch: wrongEtag, IfModifiedSince: new Date(Date.now() + hourMs)}, 200],
	];
	for (const [conditions, status] of cases) {
		t.is(
			await statusOf(client.send(new HeadObjectCommand({Bucket: bucket, Key: 'a', ...conditions}))),
			status,
			JSON.stringify(conditions),
		);
		t.is(
			await statusOf(client.send(new GetObjectCommand({Bucket: bucket, Key: 'a', ...conditions}))),
			status,
			JSON.stringify(conditions),
		);
	}
});
