import {randomBytes} from 'node:crypto';
import {CopyObjectCommand, HeadObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {crcOfRange, formatBlockSums, parseBlockSums, sumBody} from '../../src/store/block-sums.ts';
import {toAttributeHeaders, toObjectHead} from '../../src/store/s3-object-head.ts';
import {createTestClient} from '../support/dev-server.ts';
import {startTestS3Store} from '../support/test-s3-store.ts';

const mebibyte = 2 ** 20;

test('the checksums of pieces come back with HEAD and GET, and are no metadata', async t => {
	const {store} = await startTestS3Store(t);
	const body = randomBytes(2 * mebibyte + 5);
	const blockSums = formatBlockSums(sumBody(body)!); // It has bytes.
	const metadata = {'file-mtime': '5ns', other: 'x'};
	t.is((await store.put('key', body, {metadata})).blockSums, blockSums);
	const head = await store.head('key');
	t.is(head?.blockSums, blockSums);
	t.deepEqual(head?.metadata, metadata);
	const result = await store.get('key', {range: {start: mebibyte, end: 2 * mebibyte}});
	t.is(result?.object.blockSums, blockSums);
	await result?.body[Symbol.asyncIterator]().return?.();

	await store.copy({key: 'key'}, 'copy');
	t.is((await store.head('copy'))?.blockSums, blockSums);
	await store.copy({key: 'key'}, 'changed', {replace: {metadata: {other: 'y'}, blockSums}});
	t.is((await store.head('changed'))?.blockSums, blockSums);
	await store.copy({key: 'key'}, 'without', {replace: {metadata}});
	t.is((await store.head('without'))?.blockSums, undefined);
	await store.put('empty', Buffer.alloc(0));
	t.is((await store.head('empty'))?.blockSums, undefined);
});

test('checksums that another program carried to other bytes are not used', async t => {
	const {store, server, bucket} = await startTestS3Store(t);
	const client = createTestClient(t, server);
	await store.put('key', randomBytes(1000), {metadata: {a: 'b'}});
	const {Metadata} = await client.send(new HeadObjectCommand({Bucket: bucket, Key: 'key'}));
	const put = async (Key: string, size: number, more: Record<string, string>) =>
		client.send(new PutObjectCommand({Bucket: bucket, Key, Body: randomBytes(size), Metadata: {...Metadata, ...more}}));
	await put('size', 1001, {});
	await put('metadata', 1000, {mtime: '1'});
	for (const key of ['size', 'metadata']) {
		const head = await store.head(key);
		t.is(head?.blockSums, undefined, key);
		t.is(head?.metadata['a'], 'b');
	}

	// The same bytes, as the server copies them.
	await client.send(new CopyObjectCommand({Bucket: bucket, Key: 'copied', CopySource: `${bucket}/key`}));
	t.truthy((await store.head('copied'))?.blockSums);
});

test('the count of parts tells other bytes too, unless the server gave a copy an etag of one part', t => {
	const sums = {...sumBody(randomBytes(1000))!, partCount: 3}; // It has bytes.
	const stored = toAttributeHeaders({blockSums: formatBlockSums(sums)})['x-amz-meta-pnx-crc32'];
	const headOf = (etag: string) =>
		toObjectHead('key', {etag, 'content-length': '1000', 'x-amz-meta-pnx-crc32': stored});
	t.truthy(headOf('"abc-3"').blockSums);
	t.truthy(headOf('"abc"').blockSums);
	t.is(headOf('"abc-2"').blockSums, undefined);
});

test('where metadata has less room the checksums are coarser, or left out', t => {
	const body = randomBytes(8 * mebibyte);
	const blockSums = formatBlockSums(sumBody(body)!); // It has bytes.
	const storedWith = (metadataBytes: number) => {
		const metadata = {a: 'x'.repeat(metadataBytes - 1)};
		const headers = toAttributeHeaders({metadata, blockSums, writeId: 'id'});
		const bytes = Object.entries(headers).reduce(
			(total, [name, value]) =>
				total + (name.startsWith('x-amz-meta-') && value !== undefined ? name.length - 11 + value.length : 0),
			0,
		);
		t.true(bytes <= 2048, `${bytes} bytes`);
		const text = headers['x-amz-meta-pnx-crc32'];
		return text === undefined ? undefined : parseBlockSums(text.slice(7));
	};

	t.is(storedWith(1000)?.pieceBytes, mebibyte);
	const coarse = storedWith(1990);
	t.is(coarse?.pieceBytes, 4 * mebibyte);
	t.is(crcOfRange(coarse!, 0, body.length), crcOfRange(sumBody(body)!, 0, body.length));
	t.is(storedWith(2030), undefined);
});

test('a version is settled when it was at least two seconds old by the clock of the server', t => {
	const isSettled = (date: string | undefined, lastModified: string | undefined) =>
		toObjectHead('key', {date, 'last-modified': lastModified}).isSettled;
	t.is(isSettled('Tue, 01 Dec 2026 10:00:02 GMT', 'Tue, 01 Dec 2026 10:00:00 GMT'), true);
	t.is(isSettled('Tue, 01 Dec 2026 10:00:01 GMT', 'Tue, 01 Dec 2026 10:00:00 GMT'), undefined);
	t.is(isSettled('Tue, 01 Dec 2026 10:00:00 GMT', 'Tue, 01 Dec 2026 10:00:09 GMT'), undefined);
	t.is(isSettled(undefined, 'Tue, 01 Dec 2026 10:00:00 GMT'), undefined);
	t.is(isSettled('Tue, 01 Dec 2026 10:00:00 GMT', undefined), undefined);
});
