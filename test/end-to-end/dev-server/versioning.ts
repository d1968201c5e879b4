import {
	CopyObjectCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	GetObjectTaggingCommand,
	HeadObjectCommand,
	ListObjectVersionsCommand,
	ListObjectsV2Command,
	PutBucketVersioningCommand,
	GetBucketVersioningCommand,
	PutObjectCommand,
	PutObjectTaggingCommand,
	type BucketVersioningStatus,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';

const withVersioning = async (t: ExecutionContext) => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const setVersioning = (Status: BucketVersioningStatus) =>
		client.send(new PutBucketVersioningCommand({Bucket, VersioningConfiguration: {Status}}));
	const put = async (Key: string, Body: string) =>
		(await client.send(new PutObjectCommand({Bucket, Key, Body}))).VersionId;
	const text = async (Key: string, VersionId?: string) =>
		(await client.send(new GetObjectCommand({Bucket, Key, VersionId}))).Body!.transformToString();
	const list = (options: object = {}) => client.send(new ListObjectVersionsCommand({Bucket, ...options}));
	const remove = (Key: string, VersionId?: string) => client.send(new DeleteObjectCommand({Bucket, Key, VersionId}));
	return {client, Bucket, setVersioning, put, text, list, remove};
};

test('a replaced and a deleted version can still be read by its id', async t => {
	const {setVersioning, put, text, remove, client, Bucket} = await withVersioning(t);
	t.is((await client.send(new GetBucketVersioningCommand({Bucket}))).Status, undefined);
	t.is(await put('k', 'before'), undefined);
	await setVersioning('Enabled');
	const first = await put('k', 'first');
	const second = await put('k', 'second');
	t.not(first, second);
	t.is(await text('k'), 'second');
	const {DeleteMarker, VersionId: marker} = await remove('k');
	t.true(DeleteMarker);
	await t.throwsAsync(text('k'), {name: 'NoSuchKey'});
	t.is(await text('k', first), 'first');
	t.is(await text('k', second), 'second');
	t.is(await text('k', 'null'), 'before');
	await t.throwsAsync(text('k', marker), {name: 'MethodNotAllowed'});
	await t.throwsAsync(text('k', first!.split('').reverse().join('')), {name: 'NoSuchVersion'});
	await t.throwsAsync(text('k', 'nonsense'), {name: 'InvalidArgument'});
	t.is((await client.send(new ListObjectsV2Command({Bucket}))).KeyCount, 0);
	await remove('k', marker);
	t.is(await text('k'), 'second');
	await remove('k', second);
	t.is(await text('k'), 'first');
});

test('a suspended bucket replaces only the version without an id', async t => {
	const {setVersioning, put, text, list, remove} = await withVersioning(t);
	await setVersioning('Enabled');
	const kept = await put('k', 'kept');
	await setVersioning('Suspended');
	t.is(await put('k', 'one'), 'null');
	await put('k', 'two');
	t.is(await text('k'), 'two');
	t.is(await text('k', kept), 'kept');
	await remove('k');
	const {Versions, DeleteMarkers} = await list();
	t.deepEqual(
		Versions!.map(version => version.VersionId),
		[kept],
	);
	t.deepEqual(
		DeleteMarkers!.map(marker => [marker.VersionId, marker.IsLatest]),
		[['null', true]],
	);
});

test('ListObjectVersions pages through keys and the versions of one key, the newest first', async t => {
	const {setVersioning, put, list, remove} = await withVersioning(t);
	await setVersioning('Enabled');
	const expected: string[] = [];
	for (const key of ['a', 'b/1', 'c']) {
		const ids = [await put(key, '1'), await put(key, '2'), (await remove(key)).VersionId];
		expected.push(...ids.reverse().map(id => `${key} ${id}`));
	}

	for (const MaxKeys of [1, 2, 4, 1000]) {
		const seen: string[] = [];
		let page = await list({MaxKeys});
		for (;;) {
			// Versions and markers are in lists of their own: within a page, the order of the whole is by key.
			seen.push(
				...[...(page.DeleteMarkers ?? []), ...(page.Versions ?? [])]
					.map(({Key, VersionId}) => `${Key} ${VersionId}`)
					.sort((x, y) => expected.indexOf(x) - expected.indexOf(y)),
			);
			if (page.IsTruncated !== true) {
				break;
			}

			page = await list({MaxKeys, KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker});
		}

		t.deepEqual(seen, expected);
	}

	t.deepEqual(
		(await list({Delimiter: '/'})).CommonPrefixes!.map(({Prefix}) => Prefix),
		['b/'],
	);
});

test('copies, tags and conditions mean the version that they name', async t => {
	const {client, Bucket, setVersioning, put, text} = await withVersioning(t);
	await setVersioning('Enabled');
	const first = await put('k', 'first');
	const second = await put('k', 'second');
	await client.send(new CopyObjectCommand({Bucket, Key: 'copy', CopySource: `${Bucket}/k?versionId=${first}`}));
	t.is(await text('copy'), 'first');
	// Onto itself, but from an older version: that is how S3 brings one back.
	await client.send(new CopyObjectCommand({Bucket, Key: 'k', CopySource: `${Bucket}/k?versionId=${first}`}));
	t.is(await text('k'), 'first');
	await client.send(
		new PutObjectTaggingCommand({Bucket, Key: 'k', VersionId: second, Tagging: {TagSet: [{Key: 'x', Value: 'y'}]}}),
	);
	t.deepEqual((await client.send(new GetObjectTaggingCommand({Bucket, Key: 'k', VersionId: second}))).TagSet, [
		{Key: 'x', Value: 'y'},
	]);
	t.deepEqual((await client.send(new GetObjectTaggingCommand({Bucket, Key: 'k'}))).TagSet, []);
	const {VersionId, ETag} = await client.send(new HeadObjectCommand({Bucket, Key: 'k', VersionId: second}));
	t.is(VersionId, second);
	await t.throwsAsync(client.send(new GetObjectCommand({Bucket, Key: 'k', VersionId: first, IfMatch: ETag})), {
		name: 'PreconditionFailed',
	});
});
