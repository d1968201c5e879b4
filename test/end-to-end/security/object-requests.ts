/** The lean path of requests on objects keeps the same distance to the node as the calls on buckets. */
import test from 'ava';
import {isLocalAddress, isLocalHost} from '../../../src/model/local-address.ts';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {devCredentials, startTestDevServer} from '../../support/dev-server.ts';
import {throwsStoreError} from '../../support/test-s3-store.ts';

test('an object is not asked for at an endpoint whose name leads to the node itself', async t => {
	const {server, endpoint} = await startTestDevServer(t);
	for (const isLocalRefused of [false, true]) {
		const store = createS3ObjectStore({
			bucket: 'my-files',
			region: 'us-east-1',
			endpoint: endpoint.replace('127.0.0.1', 'localhost'),
			pathStyle: true,
			credentials: devCredentials,
			timeoutMs: 5000,
			isLocalRefused,
		});
		t.teardown(async () => store.close());
		server.requests.clear();
		await throwsStoreError(t, isLocalRefused ? 'unavailable' : 'noSuchBucket', store.list({prefix: ''}));
		t.is(server.requests.count() > 0, !isLocalRefused);
	}
});

test('isLocalAddress() knows the addresses of the node, its links and the metadata services in every notation', t => {
	for (const address of [
		'127.0.0.1',
		'127.255.0.9',
		'0.0.0.0',
		'169.254.169.254',
		'169.254.170.2',
		'100.100.100.200',
		'168.63.129.16',
		'192.0.0.192',
		'224.0.0.1',
		'255.255.255.255',
		'::',
		'::1',
		'fe80::1%eth0',
		'FE80::1',
		'ff02::1',
		'::ffff:127.0.0.1',
		'::ffff:a9fe:a9fe',
		'64:ff9b::7f00:1',
		'fd00:ec2::254',
		'fd20:ce::254',
	]) {
		t.true(isLocalAddress(address), address);
	}

	for (const address of [
		'10.0.0.1',
		'192.168.1.1',
		'172.16.0.1',
		'8.8.8.8',
		'128.0.0.1',
		'169.253.0.1',
		'100.100.100.201',
		'2001:db8::1',
		'fd00::1',
		'::ffff:10.0.0.1',
		'::2',
		'minio',
		'',
	]) {
		t.false(isLocalAddress(address), address);
	}

	t.true(isLocalHost('a.LOCALHOST.'));
	t.false(isLocalHost('localhost.example.com'));
});
