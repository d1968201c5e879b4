import {createHash} from 'node:crypto';
import {createServer, type IncomingHttpHeaders} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {BodyChecksums} from '../../src/store/body-checksums.ts';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';

const answer = (headers: IncomingHttpHeaders) => ({status: 200, headers, text: ''});

test('a server that ignores the CRC-32 gets an MD5 where the connection protects nothing', t => {
	const body = Buffer.from('body');
	const md5 = createHash('md5').update(body).digest('base64');
	for (const isEncrypted of [false, true]) {
		const checksums = new BodyChecksums({isEncrypted});
		const md5Of = () => checksums.headersOf([body.subarray(0, 1), body.subarray(1)], 1)['content-md5'];
		t.is(checksums.headersOf(body, 1)['x-amz-checksum-crc32'], 'AAAAAQ==');
		t.is(md5Of(), undefined);
		checksums.note(answer({etag: 'e'}));
		t.is(md5Of(), isEncrypted ? undefined : md5);
		checksums.note(answer({etag: 'e', 'x-amz-checksum-crc32': 'AAAAAQ=='}));
		t.is(md5Of(), undefined);
		checksums.note(answer({etag: 'e', 'last-modified': 'now'}));
		t.is(md5Of(), undefined, 'an answer to HEAD says nothing');
	}
});

/** A server that takes every body, as Ceph RGW 16 does; resolves to what requests had as Content-MD5. */
const startServer = async (t: ExecutionContext): Promise<{endpoint: string; md5s: Array<string | undefined>}> => {
	const md5s: Array<string | undefined> = [];
	const server = createServer((request, response) => {
		md5s.push(request.headersDistinct['content-md5']?.[0]);
		request.resume();
		request.on('end', () => {
			response.writeHead(200, {etag: '"abc"'});
			response.end();
		});
	});
	await new Promise<void>(resolve => {
		server.listen(0, '127.0.0.1', resolve);
	});
	t.teardown(() => {
		server.closeAllConnections();
		server.close();
	});
	return {endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, md5s};
};

test('put() and uploadPart() send it from the second body on', async t => {
	const {endpoint, md5s} = await startServer(t);
	const credentials = {accessKeyId: 'a', secretAccessKey: 'b'};
	const store = createS3ObjectStore({bucket: 'bucket', region: 'us-east-1', pathStyle: true, endpoint, credentials});
	t.teardown(async () => store.close());
	await store.put('key', Buffer.from('one'));
	await store.put('key', Buffer.from('two'));
	await store.uploadPart({key: 'key', uploadId: 'id'}, 1, Buffer.from('two'));
	const md5 = createHash('md5').update('two').digest('base64');
	t.deepEqual(md5s, [undefined, md5, md5]);
});
