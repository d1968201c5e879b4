import {createHash} from 'node:crypto';
import {GetObjectCommand, HeadObjectCommand, PutObjectCommand, type ChecksumAlgorithm} from '@aws-sdk/client-s3';
import test from 'ava';
import {combineChecksums} from '../../../src/dev-server/checksum-combination.ts';
import {checksumAlgorithms, createChecksum} from '../../../src/dev-server/checksum.ts';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';
import {sendSigned} from '../../dev-server/support/signed-request.ts';

const data = Buffer.from('123456789');

test('each checksum has the known value of "123456789", in one piece and in many', t => {
	// The check values of the CRC catalogue; the hashes come from Node.js.
	const known = {
		CRC32: Buffer.from('cbf43926', 'hex').toString('base64'),
		CRC32C: Buffer.from('e3069283', 'hex').toString('base64'),
		CRC64NVME: Buffer.from('ae8b14860a799888', 'hex').toString('base64'),
		SHA1: createHash('sha1').update(data).digest('base64'),
		SHA256: createHash('sha256').update(data).digest('base64'),
	};
	for (const algorithm of checksumAlgorithms) {
		const whole = createChecksum(algorithm);
		whole.update(data);
		t.is(whole.digest(), known[algorithm]);
		const pieces = createChecksum(algorithm);
		for (const byte of data) {
			pieces.update(Buffer.of(byte));
		}

		t.is(pieces.digest(), known[algorithm]);
	}
});

test('CRCs of halves combine to the CRC of the whole', t => {
	const long = Buffer.from(Array.from({length: 10_000}, (_, index) => (index * 31) & 0xff));
	const digest = (algorithm: (typeof checksumAlgorithms)[number], bytes: Uint8Array) => {
		const state = createChecksum(algorithm);
		state.update(bytes);
		return state.digest();
	};

	for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
		for (const cut of [0, 1, 4097, 10_000]) {
			const parts = [long.subarray(0, cut), long.subarray(cut)].map(part => ({
				value: digest(algorithm, part),
				sizeBytes: part.length,
			}));
			t.is(combineChecksums(algorithm, parts), digest(algorithm, long));
		}
	}
});

test('PutObject keeps the checksum that the client sends, whatever the algorithm', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	for (const algorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const satisfies ChecksumAlgorithm[]) {
		const put = await client.send(new PutObjectCommand({Bucket, Key: 'k', Body: data, ChecksumAlgorithm: algorithm}));
		const head = await client.send(new HeadObjectCommand({Bucket, Key: 'k', ChecksumMode: 'ENABLED'}));
		t.is(head[`Checksum${algorithm}`], put[`Checksum${algorithm}`]);
		t.truthy(head[`Checksum${algorithm}`]);
	}
});

test('a body that does not fit its checksum, MD5 or length is refused and not stored', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	const put = (headers: Record<string, string>) =>
		sendSigned({...place, method: 'PUT', path: '/test/k', body: data, headers});
	const wrong: Array<[Record<string, string>, string]> = [
		[{'x-amz-checksum-crc32': 'AAAAAA=='}, 'BadDigest'],
		[{'x-amz-checksum-crc32c': 'AAAAAA=='}, 'BadDigest'],
		[{'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA='}, 'BadDigest'],
		[{'x-amz-checksum-sha1': createHash('sha1').digest('base64')}, 'BadDigest'],
		[{'x-amz-checksum-sha256': createHash('sha256').digest('base64')}, 'BadDigest'],
		[{'x-amz-checksum-sha256': 'AAAA'}, 'InvalidRequest'],
		[{'content-md5': createHash('md5').digest('base64')}, 'BadDigest'],
		[{'content-md5': 'nonsense'}, 'InvalidDigest'],
	];
	for (const [headers, code] of wrong) {
		const answer = await put(headers);
		t.is(answer.code, code, JSON.stringify(headers));
		t.is(answer.status, 400);
	}

	await t.throwsAsync(client.send(new GetObjectCommand({Bucket: place.bucket, Key: 'k'})), {name: 'NoSuchKey'});
	t.is(
		(
			await put({
				'x-amz-checksum-crc64nvme': Buffer.from('ae8b14860a799888', 'hex').toString('base64'),
				'content-md5': createHash('md5').update(data).digest('base64'),
			})
		).status,
		200,
	);
});

test('the etag of a PutObject is the MD5 of its body', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const {ETag} = await createTestClient(t, {endpoint}).send(new PutObjectCommand({Bucket, Key: 'k', Body: data}));
	t.is(ETag, `"${createHash('md5').update(data).digest('hex')}"`);
});

test('metadata up to 2 KB and keys up to 1024 bytes are taken, more is refused', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const put = (Key: string, Metadata: Record<string, string> = {}) =>
		client.send(new PutObjectCommand({Bucket, Key, Body: 'x', Metadata}));
	await put('k', {a: 'v'.repeat(2047)});
	t.is((await client.send(new HeadObjectCommand({Bucket, Key: 'k'}))).Metadata!['a']!.length, 2047);
	await t.throwsAsync(put('k', {a: 'v'.repeat(2048)}), {name: 'MetadataTooLarge'});
	await t.throwsAsync(put('k', {a: 'v'.repeat(20_000)}), {name: 'MetadataTooLarge'});
	await t.notThrowsAsync(put('\u00E9'.repeat(512)));
	await t.throwsAsync(put(`${'\u00E9'.repeat(512)}x`), {name: 'KeyTooLongError'});
});

test('a body over 5 GiB is refused before it is sent', async t => {
	const place = await startTestDevServer(t);
	const answer = await sendSigned({
		...place,
		method: 'PUT',
		path: '/test/k',
		payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
		headers: {'x-amz-decoded-content-length': String(5 * 2 ** 30 + 1)},
		body: '0\r\n\r\n',
	});
	t.is(answer.code, 'EntityTooLarge');
});

test('a client that expects 100 Continue is told to go on, or refused without sending the body', async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place);
	const body = Buffer.alloc(4_000_000, 'x');
	await client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: body, IfNoneMatch: '*'}));
	await t.throwsAsync(
		client.send(new PutObjectCommand({Bucket: place.bucket, Key: 'k', Body: body, IfNoneMatch: '*'})),
		{name: 'PreconditionFailed'},
	);
	t.is((await client.send(new HeadObjectCommand({Bucket: place.bucket, Key: 'k'}))).ContentLength, body.length);
});

test('keys that no file system would take are objects of their own', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const keys = [
		'a//b',
		'a/b',
		'../up',
		'./dot',
		'a/../b',
		'/lead',
		'x',
		'x/',
		'x/y',
		' ',
		'%',
		'%20',
		'+',
		'#?&',
		'new\nline',
		'nul\0',
		'back\\slash',
		'\u{1F600}',
		'*',
		'k'.repeat(1024),
	];
	for (const Key of keys) {
		await client.send(new PutObjectCommand({Bucket, Key, Body: `body of ${Key}`}));
	}

	for (const Key of keys) {
		const {Body} = await client.send(new GetObjectCommand({Bucket, Key}));
		t.is(await Body!.transformToString(), `body of ${Key}`);
	}
});
