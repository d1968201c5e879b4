import {
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	GetObjectCommand,
	HeadObjectCommand,
	PutObjectCommand,
	UploadPartCopyCommand,
	type CompletedPart,
} from '@aws-sdk/client-s3';
import test from 'ava';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {readFile} from 'node:fs/promises';

const mebibyte = 2 ** 20;

const residentBytes = async (pid: number): Promise<number> =>
	Number(/^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

test('objects of many gibibytes are built from copies and read without holding them in memory', async t => {
	const place = await spawnTestDevServer(t);
	const Bucket = place.bucket;
	const client = createTestClient(t, place);
	const block = Buffer.alloc(64 * mebibyte, 'pnx ');
	await client.send(new PutObjectCommand({Bucket, Key: 'block', Body: block}));
	const {UploadId} = await client.send(new CreateMultipartUploadCommand({Bucket, Key: 'huge'}));
	const parts: CompletedPart[] = [];
	for (let PartNumber = 1; PartNumber <= 100; PartNumber++) {
		const {CopyPartResult} = await client.send(
			new UploadPartCopyCommand({Bucket, Key: 'huge', UploadId, PartNumber, CopySource: `${Bucket}/block`}),
		);
		parts.push({PartNumber, ETag: CopyPartResult!.ETag});
	}

	await client.send(
		new CompleteMultipartUploadCommand({Bucket, Key: 'huge', UploadId, MultipartUpload: {Parts: parts}}),
	);
	t.is((await client.send(new HeadObjectCommand({Bucket, Key: 'huge'}))).ContentLength, 6400 * mebibyte);
	const start = 6000 * mebibyte - 5;
	const {Body} = await client.send(
		new GetObjectCommand({Bucket, Key: 'huge', Range: `bytes=${start}-${start + 256 * mebibyte - 1}`}),
	);
	let bytes = 0;
	for await (const piece of Body as AsyncIterable<Buffer>) {
		t.true(bytes > 0 || piece.subarray(0, 9).equals(block.subarray(start % block.length, (start % block.length) + 9)));
		bytes += piece.length;
	}

	t.is(bytes, 256 * mebibyte);
	const peakBytes = await residentBytes(place.pid);
	t.true(peakBytes < 400 * mebibyte, `the server used ${peakBytes / mebibyte} MiB`);
});
