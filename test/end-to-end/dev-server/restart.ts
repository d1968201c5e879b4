import {randomBytes} from 'node:crypto';
import {appendFile, readFile, readdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {
	CompleteMultipartUploadCommand,
	CreateBucketCommand,
	CreateMultipartUploadCommand,
	DeleteObjectCommand,
	GetBucketTaggingCommand,
	GetObjectCommand,
	ListObjectVersionsCommand,
	ListObjectsV2Command,
	PutBucketTaggingCommand,
	PutBucketVersioningCommand,
	PutObjectCommand,
	UploadPartCommand,
} from '@aws-sdk/client-s3';
import test from 'ava';
import {DevServer} from '../../../src/dev-server/dev-server.ts';
import {
	createTestClient,
	createTestDirectory,
	spawnTestDevServer,
	startTestDevServer,
} from '../../support/dev-server.ts';

test('what was acknowledged is there after the server was killed', async t => {
	const killed = await spawnTestDevServer(t);
	const Bucket = killed.bucket;
	const client = createTestClient(t, killed);
	const large = randomBytes(3_000_000);
	const part = randomBytes(5 * 2 ** 20);
	await client.send(new PutObjectCommand({Bucket, Key: 'old', Body: 'unversioned'}));
	await client.send(new PutBucketVersioningCommand({Bucket, VersioningConfiguration: {Status: 'Enabled'}}));
	await client.send(new PutBucketTaggingCommand({Bucket, Tagging: {TagSet: [{Key: 'k', Value: 'v'}]}}));
	await client.send(new PutObjectCommand({Bucket, Key: 'dir/large', Body: large, Metadata: {mtime: '1'}}));
	await client.send(new PutObjectCommand({Bucket, Key: 'gone', Body: 'x'}));
	await client.send(new DeleteObjectCommand({Bucket, Key: 'gone'}));
	const {UploadId} = await client.send(new CreateMultipartUploadCommand({Bucket, Key: 'mp'}));
	const first = await client.send(new UploadPartCommand({Bucket, Key: 'mp', UploadId, PartNumber: 1, Body: part}));
	const acknowledged: string[] = [];
	const writers = Array.from({length: 4}, async (_, writer) => {
		for (let index = 0; ; index++) {
			const Key = `w/${writer}/${index}`;
			await client.send(new PutObjectCommand({Bucket, Key, Body: Key}));
			acknowledged.push(Key);
		}
	}).map(writer => writer.catch(() => undefined)); // Each ends with the connection that the kill breaks.
	while (acknowledged.length < 100) {
		await client.send(new PutObjectCommand({Bucket, Key: 'busy', Body: 'x'}));
	}

	await killed.stop('SIGKILL');
	await Promise.all(writers);

	const again = await spawnTestDevServer(t, {directory: killed.directory, hasBucket: true});
	const reader = createTestClient(t, again);
	const read = async (Key: string, VersionId?: string) =>
		Buffer.from(await (await reader.send(new GetObjectCommand({Bucket, Key, VersionId}))).Body!.transformToByteArray());
	t.true((await read('dir/large')).equals(large));
	t.is((await read('old', 'null')).toString(), 'unversioned');
	for (const key of acknowledged) {
		t.is((await read(key)).toString(), key);
	}

	t.deepEqual((await reader.send(new GetBucketTaggingCommand({Bucket}))).TagSet, [{Key: 'k', Value: 'v'}]);
	const versions = await reader.send(new ListObjectVersionsCommand({Bucket, Prefix: 'gone'}));
	t.is(versions.Versions!.length, 1);
	t.is(versions.DeleteMarkers!.length, 1);
	const last = await reader.send(new UploadPartCommand({Bucket, Key: 'mp', UploadId, PartNumber: 2, Body: 'end'}));
	await reader.send(
		new CompleteMultipartUploadCommand({
			Bucket,
			Key: 'mp',
			UploadId,
			MultipartUpload: {
				Parts: [
					{PartNumber: 1, ETag: first.ETag},
					{PartNumber: 2, ETag: last.ETag},
				],
			},
		}),
	);
	t.true((await read('mp')).equals(Buffer.concat([part, Buffer.from('end')])));
});

test('a line that a kill cut short is dropped, and files that nothing refers to are removed', async t => {
	const directory = await createTestDirectory(t);
	const server = await DevServer.start({directory});
	await server.close();
	await appendFile(join(directory, 'journal.jsonl'), '{"op":"bucket","bucket":"half');
	await writeFile(join(directory, 'blobs', 'orphan'), 'bytes');
	const place = await startTestDevServer(t, {directory});
	t.deepEqual(await readdir(join(directory, 'blobs')), []);
	const client = createTestClient(t, place);
	await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: 'x'}));
	t.is((await client.send(new ListObjectsV2Command({Bucket: place.bucket}))).KeyCount, 1);
});

test('starting again compacts a journal of which most is past', async t => {
	const directory = await createTestDirectory(t);
	const first = await DevServer.start({directory});
	const place = {endpoint: first.endpoint};
	const client = createTestClient(t, place);
	await client.send(new CreateBucketCommand({Bucket: 'compact'}));
	for (let index = 0; index < 200; index++) {
		await client.send(new PutObjectCommand({Bucket: 'compact', Key: 'same', Body: `${index}`}));
	}

	await first.close();
	const second = await DevServer.start({directory});
	t.teardown(() => second.close());
	t.is((await readFile(join(directory, 'journal.jsonl'), 'utf8')).trim().split('\n').length, 2);
	const {Body} = await createTestClient(t, second).send(new GetObjectCommand({Bucket: 'compact', Key: 'same'}));
	t.is(await Body!.transformToString(), '199');
});

test('starting on a port that is taken says so', async t => {
	const {server} = await startTestDevServer(t);
	const directory = await createTestDirectory(t);
	await t.throwsAsync(DevServer.start({directory, port: server.port}), {
		message: new RegExp(`port ${server.port}.*EADDRINUSE`),
	});
});
