import {
	DeleteObjectsCommand,
	ListObjectsCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	type ListObjectsV2CommandInput,
	type S3Client,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, startTestDevServer} from '../support/dev-server.ts';

type Place = {client: S3Client; bucket: string};

const withKeys = async (t: ExecutionContext, keys: readonly string[]): Promise<Place> => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	for (const Key of keys) {
		await client.send(new PutObjectCommand({Bucket: place.bucket, Key, Body: 'x'}));
	}

	return {client, bucket: place.bucket};
};

const listAll = async ({client, bucket}: Place, request: Partial<ListObjectsV2CommandInput> = {}) => {
	const keys: string[] = [];
	const prefixes: string[] = [];
	let token: string | undefined;
	let pageCount = 0;
	do {
		const page = await client.send(new ListObjectsV2Command({Bucket: bucket, ...request, ContinuationToken: token}));
		keys.push(...(page.Contents ?? []).map(object => object.Key!));
		prefixes.push(...(page.CommonPrefixes ?? []).map(common => common.Prefix!));
		token = page.IsTruncated ? page.NextContinuationToken : undefined;
		pageCount++;
	} while (token !== undefined);
	return {keys, prefixes, pageCount};
};

const mixed = [
	'A',
	'C',
	'a',
	'b/',
	'b/1',
	'b/2',
	'b//x',
	'b-',
	'c',
	'd/1',
	'd/2',
	'e',
	'-',
	'_',
	'Z10',
	'\u00E9',
	'\uFF5E',
	'\u{1F600}',
	'a/../b',
	'../up',
	'x',
	'x/y',
];
const inByteOrder = (keys: readonly string[]): string[] =>
	[...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

test('ListObjectsV2 gives every key once and in the order of its UTF-8 bytes, whatever the page size', async t => {
	const place = await withKeys(t, mixed);
	for (const MaxKeys of [1, 2, 3, 7, 1000]) {
		const {keys, pageCount} = await listAll(place, {MaxKeys});
		t.deepEqual(keys, inByteOrder(mixed));
		t.is(pageCount, Math.ceil(mixed.length / MaxKeys));
	}
});

test('ListObjectsV2 with a delimiter gives each common prefix once, also over pages', async t => {
	const place = await withKeys(t, mixed);
	const expectedPrefixes = inByteOrder([
		...new Set(mixed.filter(key => key.includes('/')).map(key => key.slice(0, key.indexOf('/') + 1))),
	]);
	for (const MaxKeys of [1, 2, 5, 1000]) {
		const {keys, prefixes} = await listAll(place, {Delimiter: '/', MaxKeys});
		t.deepEqual(keys, inByteOrder(mixed.filter(key => !key.includes('/'))));
		t.deepEqual(prefixes, expectedPrefixes);
	}
});

test('ListObjectsV2 keeps to prefix, start-after and both together', async t => {
	const place = await withKeys(t, ['l/a', 'l/b/1', 'l/b/2', 'l/c', 'm']);
	t.deepEqual((await listAll(place, {Prefix: 'l/', StartAfter: 'l/a'})).keys, ['l/b/1', 'l/b/2', 'l/c']);
	t.deepEqual((await listAll(place, {Prefix: 'l/', StartAfter: 'a'})).keys, ['l/a', 'l/b/1', 'l/b/2', 'l/c']);
	t.deepEqual((await listAll(place, {Prefix: 'l/', StartAfter: 'z'})).keys, []);
	t.deepEqual(await listAll(place, {Prefix: 'l/', Delimiter: '/', StartAfter: 'l/b/1'}), {
		keys: ['l/c'],
		prefixes: ['l/b/'],
		pageCount: 1,
	});
	t.deepEqual(await listAll(place, {Prefix: 'l/', Delimiter: '/', StartAfter: 'l/b/zz'}), {
		keys: ['l/c'],
		prefixes: [],
		pageCount: 1,
	});
	t.deepEqual(await listAll(place, {Prefix: 'l', Delimiter: '/'}), {keys: [], prefixes: ['l/'], pageCount: 1});
	t.deepEqual(await listAll(place, {Prefix: 'none/'}), {keys: [], prefixes: [], pageCount: 1});
});

test('ListObjectsV2 escapes keys for encoding-type=url, and says who owns them only when asked', async t => {
	const {client, bucket} = await withKeys(t, ['sp ace', 'new\nline', 'a&b<c>', 'plus+']);
	const encoded = await client.send(new ListObjectsV2Command({Bucket: bucket, EncodingType: 'url', FetchOwner: true}));
	t.deepEqual(
		encoded.Contents!.map(object => decodeURIComponent(object.Key!)),
		inByteOrder(['sp ace', 'new\nline', 'a&b<c>', 'plus+']),
	);
	t.true(encoded.Contents!.every(object => /^[\w%.~-]+$/.test(object.Key!)));
	t.is(typeof encoded.Contents![0]!.Owner?.ID, 'string');
	const plain = await client.send(new ListObjectsV2Command({Bucket: bucket}));
	t.deepEqual(
		plain.Contents!.map(object => object.Key),
		inByteOrder(['sp ace', 'new\nline', 'a&b<c>', 'plus+']),
	);
	t.is(plain.Contents![0]!.Owner, undefined);
});

test('ListObjectsV2 with MaxKeys 0 is empty and not truncated; a foreign token is refused', async t => {
	const {client, bucket} = await withKeys(t, ['a']);
	const page = await client.send(new ListObjectsV2Command({Bucket: bucket, MaxKeys: 0}));
	t.is(page.KeyCount, 0);
	t.false(page.IsTruncated);
	await t.throwsAsync(client.send(new ListObjectsV2Command({Bucket: bucket, ContinuationToken: 'nonsense'})), {
		name: 'InvalidArgument',
	});
	await t.throwsAsync(client.send(new ListObjectsV2Command({Bucket: 'missing-bucket'})), {name: 'NoSuchBucket'});
});

test('ListObjects goes on behind a marker, and behind a common prefix that is the marker', async t => {
	const {client, bucket} = await withKeys(t, ['a', 'b/1', 'b/2', 'c']);
	const page = await client.send(new ListObjectsCommand({Bucket: bucket, Delimiter: '/', MaxKeys: 2}));
	t.is(page.NextMarker, 'b/');
	const rest = await client.send(new ListObjectsCommand({Bucket: bucket, Delimiter: '/', Marker: page.NextMarker}));
	t.deepEqual(
		rest.Contents!.map(object => object.Key),
		['c'],
	);
	t.is(rest.CommonPrefixes, undefined);
	t.deepEqual(
		(await client.send(new ListObjectsCommand({Bucket: bucket, Marker: 'b/1'}))).Contents!.map(object => object.Key),
		['b/2', 'c'],
	);
});

test('a listing sees every write and delete that was answered before it', async t => {
	const place = await withKeys(t, []);
	for (let index = 0; index < 50; index++) {
		await place.client.send(new PutObjectCommand({Bucket: place.bucket, Key: `k${index}`, Body: 'x'}));
		t.is((await listAll(place)).keys.length, index + 1);
	}

	await place.client.send(
		new DeleteObjectsCommand({
			Bucket: place.bucket,
			Delete: {Objects: Array.from({length: 49}, (_, index) => ({Key: `k${index}`}))},
		}),
	);
	t.deepEqual((await listAll(place)).keys, ['k49']);
});

test('DeleteObjects deletes keys that XML has to escape, and is quiet when told', async t => {
	const odd = ['a&b', '<tag>', 'new\nline', 'cr\rx', 'quote"\'', 'ctl\u0001', '\u{1F600}', ' lead', 'trail '];
	const place = await withKeys(t, odd);
	const {Deleted, Errors} = await place.client.send(
		new DeleteObjectsCommand({Bucket: place.bucket, Delete: {Objects: odd.map(Key => ({Key}))}}),
	);
	t.deepEqual(
		Deleted!.map(deleted => deleted.Key),
		odd,
	);
	t.is(Errors, undefined);
	t.deepEqual((await listAll(place)).keys, []);
	t.is(
		(
			await place.client.send(
				new DeleteObjectsCommand({Bucket: place.bucket, Delete: {Objects: [{Key: 'gone'}], Quiet: true}}),
			)
		).Deleted,
		undefined,
	);
	await t.throwsAsync(
		place.client.send(
			new DeleteObjectsCommand({
				Bucket: place.bucket,
				Delete: {Objects: Array.from({length: 1001}, (_, index) => ({Key: `k${index}`}))},
			}),
		),
		{name: 'MalformedXML'},
	);
});
