import {ListBucketsCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {DevServer} from '../../src/dev-server/dev-server.ts';
import {isLoopbackAddress} from '../../src/dev-server/loopback-address.ts';
import {createTestClient, createTestDirectory} from '../support/dev-server.ts';

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
