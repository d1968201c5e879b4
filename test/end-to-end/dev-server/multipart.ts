import {randomBytes} from 'node:crypto';
import {
	AbortMultipartUploadCommand,
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	GetObjectAttributesCommand,
	GetObjectCommand,
	HeadObjectCommand,
	ListMultipartUploadsCommand,
	ListPartsCommand,
	PutObjectCommand,
	UploadPartCommand,
	UploadPartCopyCommand,
	type CompletedPart,
	type S3Client,
} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';

const partBytes = 5 * 2 ** 20;
const parts = [randomBytes(partBytes), randomBytes(partBytes), randomBytes(1234)];
const whole = Buffer.concat(parts);

type Place = {client: S3Client; bucket: string};

const withClient = async (t: ExecutionContext): Promise<Place> => {
	const place = await startTestDevServer(t);
	return {client: createTestClient(t, place), bucket: place.bucket};
};

const begin = async ({client, bucket}: Place, Key: string, attributes: object = {}): Promise<string> =>
	(await client.send(new CreateMultipartUploadCommand({Bucket: bucket, Key, ...attributes}))).UploadId!;

const upload = async (
	{client, bucket}: Place,
	place: {Key: string; UploadId: string; PartNumber: number},
	Body: Uint8Array | string,
): Promise<CompletedPart> => {
	const {ETag, ChecksumCRC32} = await client.send(new UploadPartCommand({Bucket: bucket, ...place, Body}));
	return {PartNumber: place.PartNumber, ETag, ChecksumCRC32};
};

const complete = ({client, bucket}: Place, place: {Key: string; UploadId: string}, Parts: CompletedPart[]) =>
	client.send(new CompleteMultipartUploadCommand({Bucket: bucket, ...place, MultipartUpload: {Parts}}));

const read = async ({client, bucket}: Place, Key: string, options: object = {}): Promise<Buffer> =>
	Buffer.from(
		await (await client.send(new GetObjectCommand({Bucket: bucket, Key, ...options}))).Body!.transformToByteArray(),
	);

const uploadAll = async (place: Place, Key: string, attributes: object = {}) => {
	const UploadId = await begin(place, Key, attributes);
	const uploaded: CompletedPart[] = [];
	for (const [index, part] of parts.entries()) {
		uploaded.push(await upload(place, {Key, UploadId, PartNumber: index + 1}, part));
	}

	return complete(place, {Key, UploadId}, uploaded);
};

test('a multipart object appears as a whole at completion, with the attributes of its beginning', async t => {
	const place = await withClient(t);
	const UploadId = await begin(place, 'mp', {Metadata: {k: 'v'}, ContentType: 'x/y'});
	// In any order, and one of them twice: the later one counts.
	const third = await upload(place, {Key: 'mp', UploadId, PartNumber: 9}, parts[2]!);
	await upload(place, {Key: 'mp', UploadId, PartNumber: 1}, 'replaced');
	const first = await upload(place, {Key: 'mp', UploadId, PartNumber: 1}, parts[0]!);
	const second = await upload(place, {Key: 'mp', UploadId, PartNumber: 5}, parts[1]!);
	await t.throwsAsync(place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'mp'})), {name: 'NotFound'});
	const {ETag} = await complete(place, {Key: 'mp', UploadId}, [first, second, third]);
	t.regex(ETag!, /^"[\da-f]{32}-3"$/);
	const head = await place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'mp'}));
	t.deepEqual(head.Metadata, {k: 'v'});
	t.is(head.ContentType, 'x/y');
	t.is(head.ETag, ETag);
	t.true((await read(place, 'mp')).equals(whole));
	t.true(
		(await read(place, 'mp', {Range: `bytes=${partBytes - 3}-${partBytes + 2}`})).equals(
			whole.subarray(partBytes - 3, partBytes + 3),
		),
	);
	t.true((await read(place, 'mp', {PartNumber: 2})).equals(parts[1]!));
	t.is(
		(await place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'mp', PartNumber: 3}))).PartsCount,
		3,
	);
	await t.throwsAsync(read(place, 'mp', {PartNumber: 4}), {name: 'InvalidPartNumber'});
});

test('completion refuses missing, wrong, small and unordered parts, and the upload lives on', async t => {
	const place = await withClient(t);
	const UploadId = await begin(place, 'mp');
	const small = await upload(place, {Key: 'mp', UploadId, PartNumber: 1}, 'abc');
	const last = await upload(place, {Key: 'mp', UploadId, PartNumber: 2}, 'def');
	const target = {Key: 'mp', UploadId};
	await t.throwsAsync(complete(place, target, [small, last]), {name: 'EntityTooSmall'});
	await t.throwsAsync(complete(place, target, [last, small]), {name: 'InvalidPartOrder'});
	await t.throwsAsync(complete(place, target, [{PartNumber: 3, ETag: small.ETag}]), {name: 'InvalidPart'});
	await t.throwsAsync(complete(place, target, [{PartNumber: 1, ETag: last.ETag}]), {name: 'InvalidPart'});
	await t.throwsAsync(complete(place, target, []), {name: 'MalformedXML'});
	await t.notThrowsAsync(complete(place, target, [last]));
	t.is((await read(place, 'mp')).toString(), 'def');
	await t.throwsAsync(complete(place, target, [last]), {name: 'NoSuchUpload'});
});

test('an upload that was aborted, or that belongs to another key, is unknown', async t => {
	const place = await withClient(t);
	const UploadId = await begin(place, 'mp');
	await t.throwsAsync(upload(place, {Key: 'other', UploadId, PartNumber: 1}, 'x'), {name: 'NoSuchUpload'});
	await place.client.send(new AbortMultipartUploadCommand({Bucket: place.bucket, Key: 'mp', UploadId}));
	await t.throwsAsync(upload(place, {Key: 'mp', UploadId, PartNumber: 1}, 'x'), {name: 'NoSuchUpload'});
	await t.throwsAsync(place.client.send(new ListPartsCommand({Bucket: place.bucket, Key: 'mp', UploadId})), {
		name: 'NoSuchUpload',
	});
	await t.throwsAsync(place.client.send(new AbortMultipartUploadCommand({Bucket: place.bucket, Key: 'mp', UploadId})), {
		name: 'NoSuchUpload',
	});
});

test('part numbers are 1 to 10,000', async t => {
	const place = await withClient(t);
	const UploadId = await begin(place, 'mp');
	await t.throwsAsync(upload(place, {Key: 'mp', UploadId, PartNumber: 0}, 'x'), {name: 'InvalidArgument'});
	await t.throwsAsync(upload(place, {Key: 'mp', UploadId, PartNumber: 10_001}, 'x'), {name: 'InvalidArgument'});
	await t.notThrowsAsync(upload(place, {Key: 'mp', UploadId, PartNumber: 10_000}, 'x'));
});

test('ListParts and ListMultipartUploads page through what is unfinished', async t => {
	const place = await withClient(t);
	const ids = [await begin(place, 'a/1'), await begin(place, 'a/2'), await begin(place, 'b')];
	for (const PartNumber of [3, 1, 2]) {
		await upload(place, {Key: 'b', UploadId: ids[2]!, PartNumber}, `part ${PartNumber}`);
	}

	const page = await place.client.send(
		new ListPartsCommand({Bucket: place.bucket, Key: 'b', UploadId: ids[2], MaxParts: 2}),
	);
	t.deepEqual(
		page.Parts!.map(part => [part.PartNumber, part.Size]),
		[
			[1, 6],
			[2, 6],
		],
	);
	t.true(page.IsTruncated);
	const rest = await place.client.send(
		new ListPartsCommand({
			Bucket: place.bucket,
			Key: 'b',
			UploadId: ids[2],
			PartNumberMarker: page.NextPartNumberMarker,
		}),
	);
	t.deepEqual(
		rest.Parts!.map(part => part.PartNumber),
		[3],
	);
	const uploads = await place.client.send(new ListMultipartUploadsCommand({Bucket: place.bucket, MaxUploads: 2}));
	t.deepEqual(
		uploads.Uploads!.map(({UploadId}) => UploadId),
		ids.slice(0, 2),
	);
	const more = await place.client.send(
		new ListMultipartUploadsCommand({
			Bucket: place.bucket,
			KeyMarker: uploads.NextKeyMarker,
			UploadIdMarker: uploads.NextUploadIdMarker,
		}),
	);
	t.deepEqual(
		more.Uploads!.map(({UploadId}) => UploadId),
		ids.slice(2),
	);
	const grouped = await place.client.send(new ListMultipartUploadsCommand({Bucket: place.bucket, Delimiter: '/'}));
	t.deepEqual(
		grouped.CommonPrefixes!.map(({Prefix}) => Prefix),
		['a/'],
	);
	t.deepEqual(
		grouped.Uploads!.map(({Key}) => Key),
		['b'],
	);
});

test('UploadPartCopy takes ranges of other objects, and keeps to the conditions on its source', async t => {
	const place = await withClient(t);
	await uploadAll(place, 'source');
	const UploadId = await begin(place, 'target');
	const copy = async (PartNumber: number, range: string | undefined, conditions: object = {}) =>
		place.client.send(
			new UploadPartCopyCommand({
				Bucket: place.bucket,
				Key: 'target',
				UploadId,
				PartNumber,
				CopySource: `${place.bucket}/source`,
				...(range === undefined ? {} : {CopySourceRange: range}),
				...conditions,
			}),
		);
	await t.throwsAsync(copy(1, 'bytes=0-9', {CopySourceIfMatch: '"00000000000000000000000000000000"'}), {
		name: 'PreconditionFailed',
	});
	await t.throwsAsync(copy(1, `bytes=0-${whole.length}`), {name: 'InvalidRange'});
	await t.throwsAsync(copy(1, 'bytes=5-'), {name: 'InvalidArgument'});
	const first = await copy(1, `bytes=100-${partBytes * 2 - 1}`);
	const second = await copy(2, `bytes=0-${partBytes - 1}`);
	const tail = await upload(place, {Key: 'target', UploadId, PartNumber: 3}, 'tail');
	t.not(first.CopyPartResult!.ETag, second.CopyPartResult!.ETag);
	await complete(place, {Key: 'target', UploadId}, [
		{PartNumber: 1, ETag: first.CopyPartResult!.ETag},
		{PartNumber: 2, ETag: second.CopyPartResult!.ETag},
		tail,
	]);
	t.true(
		(await read(place, 'target')).equals(
			Buffer.concat([whole.subarray(100, partBytes * 2), whole.subarray(0, partBytes), Buffer.from('tail')]),
		),
	);
});

test('checksums of the parts become the checksum of the whole', async t => {
	const place = await withClient(t);
	await uploadAll(place, 'composite', {ChecksumAlgorithm: 'CRC32'});
	await uploadAll(place, 'full', {ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT'});
	await place.client.send(
		new PutObjectCommand({Bucket: place.bucket, Key: 'plain', Body: whole, ChecksumAlgorithm: 'CRC32'}),
	);
	const checksumOf = async (Key: string) =>
		(await place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key, ChecksumMode: 'ENABLED'})))
			.ChecksumCRC32;
	t.is(await checksumOf('full'), await checksumOf('plain'));
	t.regex((await checksumOf('composite'))!, /-3$/);
	const {ObjectParts, ObjectSize, Checksum} = await place.client.send(
		new GetObjectAttributesCommand({
			Bucket: place.bucket,
			Key: 'composite',
			ObjectAttributes: ['ObjectParts', 'ObjectSize', 'Checksum'],
		}),
	);
	t.is(ObjectSize, whole.length);
	t.is(ObjectParts!.TotalPartsCount, 3);
	t.deepEqual(
		ObjectParts!.Parts!.map(part => part.Size),
		parts.map(part => part.length),
	);
	t.is(Checksum!.ChecksumType, 'COMPOSITE');
});

test('an upload with a checksum algorithm wants it with every part, and again at completion', async t => {
	const place = await withClient(t);
	const UploadId = await begin(place, 'mp', {ChecksumAlgorithm: 'SHA256'});
	const withOther = () =>
		place.client.send(
			new UploadPartCommand({
				Bucket: place.bucket,
				Key: 'mp',
				UploadId,
				PartNumber: 1,
				Body: 'x',
				ChecksumAlgorithm: 'CRC32',
			}),
		);
	await t.throwsAsync(withOther(), {
		name: 'InvalidRequest',
		message: /expected checksum Type: sha256, actual checksum Type: crc32/,
	});
	const {ETag, ChecksumSHA256} = await place.client.send(
		new UploadPartCommand({
			Bucket: place.bucket,
			Key: 'mp',
			UploadId,
			PartNumber: 1,
			Body: 'x',
			ChecksumAlgorithm: 'SHA256',
		}),
	);
	await t.throwsAsync(complete(place, {Key: 'mp', UploadId}, [{PartNumber: 1, ETag}]), {
		name: 'InvalidRequest',
		message: /must include the checksum for each part/,
	});
	await t.throwsAsync(
		complete(place, {Key: 'mp', UploadId}, [{PartNumber: 1, ETag, ChecksumSHA256: 'A'.repeat(43) + '='}]),
		{name: 'InvalidPart'},
	);
	await t.notThrowsAsync(complete(place, {Key: 'mp', UploadId}, [{PartNumber: 1, ETag, ChecksumSHA256}]));
});
