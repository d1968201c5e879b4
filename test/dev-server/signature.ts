import {GetObjectCommand, ListObjectsV2Command, PutObjectCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {crc32} from 'node:zlib';
import {createTestClient, startTestDevServer} from '../support/dev-server.ts';
import {presign, sendRaw, sendSigned, signPiece, signTrailer, type SignatureSeed} from './support/signed-request.ts';

const path = '/test/object';
const data = Buffer.alloc(200_000, 'some bytes ');

const storedBody = async (t: ExecutionContext, place: {endpoint: string; bucket: string}): Promise<Buffer> => {
	const {Body} = await createTestClient(t, place).send(new GetObjectCommand({Bucket: place.bucket, Key: 'object'}));
	return Buffer.from(await Body!.transformToByteArray());
};

test('a request signed with another secret is refused with SignatureDoesNotMatch', async t => {
	const {endpoint} = await startTestDevServer(t);
	const answer = await sendSigned({endpoint, method: 'PUT', path, body: data, secretAccessKey: 'wrong'});
	t.is(answer.status, 403);
	t.is(answer.code, 'SignatureDoesNotMatch');
});

test('a request with an unknown access key is refused with InvalidAccessKeyId', async t => {
	const {endpoint} = await startTestDevServer(t);
	const answer = await sendSigned({endpoint, method: 'GET', path, accessKeyId: 'nobody'});
	t.is(answer.status, 403);
	t.is(answer.code, 'InvalidAccessKeyId');
});

test('a request without a signature is refused with AccessDenied', async t => {
	const {endpoint} = await startTestDevServer(t);
	const answer = await sendRaw({endpoint, method: 'GET', path, headers: {}});
	t.is(answer.status, 403);
	t.is(answer.code, 'AccessDenied');
});

test('a changed query, path or signed header makes the signature wrong', async t => {
	const {endpoint} = await startTestDevServer(t);
	t.is((await sendSigned({endpoint, method: 'GET', path: '/test', query: {prefix: 'a'}})).status, 200);
	const url = presign({endpoint, method: 'GET', path: '/test', query: {prefix: 'a'}});
	t.is((await sendRaw({endpoint, method: 'GET', path: url, headers: {}})).status, 200);
	t.is(
		(await sendRaw({endpoint, method: 'GET', path: url.replace('prefix=a', 'prefix=b'), headers: {}})).code,
		'SignatureDoesNotMatch',
	);
	t.is((await sendRaw({endpoint, method: 'PUT', path: url, headers: {}})).code, 'SignatureDoesNotMatch');
});

test('a header of Amazon that is sent but not signed is refused', async t => {
	const {endpoint} = await startTestDevServer(t);
	const answer = await sendSigned({
		endpoint,
		method: 'PUT',
		path,
		body: data,
		unsignedHeaders: {'x-amz-meta-added': 'on the way'},
	});
	t.is(answer.status, 403);
	t.is(answer.code, 'AccessDenied');
});

test('a clock that is 16 minutes off is refused with RequestTimeTooSkewed, 14 minutes are not', async t => {
	const {endpoint} = await startTestDevServer(t);
	for (const sign of [-1, 1]) {
		const answer = await sendSigned({
			endpoint,
			method: 'GET',
			path: '/test',
			at: new Date(Date.now() + sign * 16 * 60_000),
		});
		t.is(answer.status, 403);
		t.is(answer.code, 'RequestTimeTooSkewed');
		t.is(
			(await sendSigned({endpoint, method: 'GET', path: '/test', at: new Date(Date.now() + sign * 14 * 60_000)}))
				.status,
			200,
		);
	}
});

test('a body that does not have the signed hash is refused and not stored', async t => {
	const place = await startTestDevServer(t);
	const answer = await sendSigned({...place, method: 'PUT', path, body: data, payload: '0'.repeat(64)});
	t.is(answer.status, 400);
	t.is(answer.code, 'XAmzContentSHA256Mismatch');
	await t.throwsAsync(storedBody(t, place), {name: 'NoSuchKey'});
});

test('an unsigned payload is stored', async t => {
	const place = await startTestDevServer(t);
	t.is((await sendSigned({...place, method: 'PUT', path, body: data, payload: 'UNSIGNED-PAYLOAD'})).status, 200);
	t.deepEqual(await storedBody(t, place), data);
});

test('a presigned URL works until it expires', async t => {
	const place = await startTestDevServer(t);
	const put = await sendRaw({
		...place,
		method: 'PUT',
		path: presign({...place, method: 'PUT', path}),
		headers: {},
		body: data,
	});
	t.is(put.status, 200);
	const get = await sendRaw({...place, method: 'GET', path: presign({...place, method: 'GET', path}), headers: {}});
	t.deepEqual(get.body, data);
	const late = await sendRaw({
		...place,
		method: 'GET',
		path: presign({...place, method: 'GET', path, at: new Date(Date.now() - 61_000)}),
		headers: {},
	});
	t.is(late.status, 403);
	t.is(late.code, 'AccessDenied');
	const endless = await sendRaw({
		...place,
		method: 'GET',
		path: presign({...place, method: 'GET', path, expiresSeconds: 604_801}),
		headers: {},
	});
	t.is(endless.code, 'AuthorizationQueryParametersError');
});

const pieces = [data.subarray(0, 65_536), data.subarray(65_536, 131_072), data.subarray(131_072), Buffer.alloc(0)];

const frameSigned = (
	seed: SignatureSeed,
	trailer: string | undefined,
	spoil = (text: string): string => text,
): Buffer => {
	let previous = seed.signature;
	const framed: Buffer[] = [];
	for (const piece of pieces) {
		previous = signPiece(seed, previous, piece);
		framed.push(
			Buffer.from(`${piece.length.toString(16)};chunk-signature=${spoil(previous)}\r\n`),
			piece,
			Buffer.from(piece.length === 0 ? '' : '\r\n'),
		);
	}

	const end =
		trailer === undefined
			? '\r\n'
			: `${trailer}\r\nx-amz-trailer-signature:${spoil(signTrailer(seed, previous, `${trailer}\n`))}\r\n\r\n`;
	return Buffer.concat([...framed, Buffer.from(end)]);
};

const streamingHeaders = {'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': String(data.length)};
const crcTrailer = (value: number): string => {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return `x-amz-checksum-crc32:${bytes.toString('base64')}`;
};

test('a body in signed pieces is stored, and refused when one signature is wrong', async t => {
	const place = await startTestDevServer(t);
	const options = {
		...place,
		method: 'PUT',
		path,
		headers: streamingHeaders,
		payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
	};
	t.is((await sendSigned({...options, body: seed => frameSigned(seed, undefined)})).status, 200);
	t.deepEqual(await storedBody(t, place), data);
	const spoiled = await sendSigned({
		...options,
		body: seed =>
			frameSigned(seed, undefined, signature => `${signature.slice(0, -1)}${signature.endsWith('0') ? '1' : '0'}`),
	});
	t.is(spoiled.status, 403);
	t.is(spoiled.code, 'SignatureDoesNotMatch');
});

test('a body in signed pieces with a signed trailer is stored, and refused when the trailer is wrong', async t => {
	const place = await startTestDevServer(t);
	const options = {
		...place,
		method: 'PUT',
		path,
		headers: {...streamingHeaders, 'x-amz-trailer': 'x-amz-checksum-crc32'},
		payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
	};
	t.is((await sendSigned({...options, body: seed => frameSigned(seed, crcTrailer(crc32(data)))})).status, 200);
	t.deepEqual(await storedBody(t, place), data);
	t.is((await sendSigned({...options, body: seed => frameSigned(seed, crcTrailer(1))})).code, 'BadDigest');
	t.is(
		(
			await sendSigned({
				...options,
				body: seed => frameSigned(seed, crcTrailer(crc32(data)), signature => (signature === '' ? '' : '0'.repeat(64))),
			})
		).code,
		'SignatureDoesNotMatch',
	);
});

test('a body in unsigned pieces with a trailer is stored, and refused when it is cut short', async t => {
	const place = await startTestDevServer(t);
	const framed = Buffer.concat([
		Buffer.from(`${data.length.toString(16)}\r\n`),
		data,
		Buffer.from(`\r\n0\r\n${crcTrailer(crc32(data))}\r\n\r\n`),
	]);
	const options = {
		...place,
		method: 'PUT',
		path,
		headers: {...streamingHeaders, 'x-amz-trailer': 'x-amz-checksum-crc32'},
		payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
	};
	t.is((await sendSigned({...options, body: framed})).status, 200);
	t.deepEqual(await storedBody(t, place), data);
	t.is((await sendSigned({...options, body: framed.subarray(0, 1000)})).code, 'IncompleteBody');
});

test('a metadata value in raw UTF-8 comes back with the bytes that were sent', async t => {
	const place = await startTestDevServer(t);
	const raw = Buffer.from('h\u00E9llo').toString('latin1');
	await createTestClient(t, place).send(
		new PutObjectCommand({Bucket: place.bucket, Key: 'object', Body: 'x', Metadata: {u: raw}}),
	);
	const answer = await sendSigned({...place, method: 'HEAD', path});
	t.true([raw, Buffer.from(raw).toString('latin1')].includes(String(answer.headers['x-amz-meta-u'])));
});

test('a bucket in the host name is found', async t => {
	const place = await startTestDevServer(t);
	await createTestClient(t, place).send(new PutObjectCommand({Bucket: place.bucket, Key: 'dir/object', Body: data}));
	const {port} = place.server;
	for (const host of [`test.localhost:${port}`, `test.127.0.0.1:${port}`]) {
		const answer = await sendSigned({...place, host, method: 'GET', path: '/dir/object'});
		t.is(answer.status, 200);
		t.deepEqual(answer.body, data);
	}
});

test("a request for another region than the bucket's names the right one", async t => {
	const place = await startTestDevServer(t);
	const client = createTestClient(t, place, {region: 'eu-central-1'});
	const error = await t.throwsAsync(client.send(new ListObjectsV2Command({Bucket: place.bucket})), {
		name: 'AuthorizationHeaderMalformed',
	});
	t.is((error as unknown as {Region: string}).Region, 'us-east-1');
	const head = await sendSigned({...place, method: 'HEAD', path: '/test', region: 'eu-central-1'});
	t.is(head.status, 301);
	t.is(head.headers['x-amz-bucket-region'], 'us-east-1');
});
