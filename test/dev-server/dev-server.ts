import {ListBucketsCommand, PutObjectCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {DevServer} from '../../src/dev-server/dev-server.ts';
import {isLoopbackAddress} from '../../src/dev-server/loopback-address.ts';
import {createTestClient, createTestDirectory, startTestDevServer} from '../support/dev-server.ts';
import {eventually} from '../support/volume-nodes.ts';

test('the server listens at the address that it is told, and at no other', async t => {
	const server = await DevServer.start({directory: await createTestDirectory(t), host: '127.0.0.2'});
	t.teardown(() => server.close());
	t.is(server.endpoint, `http://127.0.0.2:${server.port}`);
	await t.notThrowsAsync(createTestClient(t, server).send(new ListBucketsCommand()));
	await t.throwsAsync(fetch(`http://127.0.0.1:${server.port}/`));
});

test('the controls of tests are for clients of this machine', t => {
	t.deepEqual(
		['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'].filter(address => !isLoopbackAddress(address)),
		[],
	);
	t.deepEqual(
		['10.0.0.1', '::ffff:10.0.0.1', '1127.0.0.1', '127.example', 'fe80::1', '', undefined].filter(address =>
			isLoopbackAddress(address),
		),
		[],
	);
});

test('a server closes also while a request is held whose body it has not read', async t => {
	const {server, bucket} = await startTestDevServer(t);
	server.faults.holds = [{operation: 'PutObject'}];
	const Body = Buffer.alloc(2 ** 22);
	const putting = t.throwsAsync(
		createTestClient(t, server).send(new PutObjectCommand({Bucket: bucket, Key: 'k', Body})),
	);
	await eventually(t, 'it is held', () => server.requests.count({operation: 'PutObject'}) === 1);
	await server.close();
	await putting;
});
