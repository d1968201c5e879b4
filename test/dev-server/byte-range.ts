import {randomBytes} from 'node:crypto';
import {DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {createTestClient, startTestDevServer} from '../support/dev-server.ts';

test('GetObject gives exactly the bytes of a range, over all piece borders', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	for (const size of [1, 65_536, 65_537, 524_288, 1_700_001]) {
		const data = randomBytes(size);
		await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: data}));
		const ranges: Array<[string, number, number]> = [
			[`bytes=0-${size - 1}`, 0, size],
			['bytes=0-0', 0, 1],
			[`bytes=${size - 1}-`, size - 1, size],
			['bytes=-1', size - 1, size],
			[`bytes=0-${size + 10}`, 0, size],
			[`bytes=-${size + 5}`, 0, size],
			[`bytes=${Math.floor(size / 3)}-${Math.floor(size / 2)}`, Math.floor(size / 3), Math.floor(size / 2) + 1],
		];
		for (const [Range, start, end] of ranges) {
			const answer = await client.send(new GetObjectCommand({Bucket: place.bucket, Key: 'k', Range}));
			const bytes = Buffer.from(await answer.Body!.transformToByteArray());
			t.true(bytes.equals(data.subarray(start, end)), `${Range} of ${size}`);
			t.is(answer.ContentRange, `bytes ${start}-${end - 1}/${size}`);
			t.is(answer.ContentLength, end - start);
			t.is(answer.$metadata.httpStatusCode, 206);
		}
	}
});

test('a range that cannot be satisfied is 416, one that is not a range gives the whole', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: '0123456789'}));
	await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'empty', Body: new Uint8Array(0)}));
	const get = (Key: string, Range: string) => client.send(new GetObjectCommand({Bucket: place.bucket, Key, Range}));
	for (const [key, range] of [
		['k', 'bytes=10-10'],
		['k', 'bytes=11-'],
		['k', 'bytes=-0'],
		['empty', 'bytes=0-0'],
		['empty', 'bytes=-1'],
	] as const) {
		await t.throwsAsync(get(key, range), {name: 'InvalidRange'}, `${key} ${range}`);
	}

	for (const range of ['bytes=5-2', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4']) {
		const answer = await get('k', range);
		t.is(await answer.Body!.transformToString(), '0123456789');
		t.is(answer.$metadata.httpStatusCode, 200);
	}
});

test('HeadObject with a range tells its length', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: '0123456789'}));
	const head = await client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'k', Range: 'bytes=2-4'}));
	t.is(head.ContentLength, 3);
	t.is((await client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'k'}))).ContentLength, 10);
});

test('a reader gets the bytes that it began with while the object is replaced and deleted', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	const target = {Bucket: place.bucket, Key: 'k'};
	const data = randomBytes(32 * 2 ** 20);
	await client.send(new PutObjectCommand({...target, Body: data}));
	// More than the sockets take: the server still reads while the object goes.
	const {Body} = await client.send(new GetObjectCommand(target));
	await client.send(new PutObjectCommand({...target, Body: randomBytes(1_000_000)}));
	await client.send(new DeleteObjectCommand(target));
	t.true(Buffer.from(await Body!.transformToByteArray()).equals(data));
});
