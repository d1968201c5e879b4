import test from 'ava';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';
import {devCredentials, startTestDevServer} from '../support/dev-server.ts';
import {throwsStoreError} from '../support/test-s3-store.ts';

// The default chain reads the environment and the home directory of this process, which is this file's own.
for (const name of Object.keys(process.env).filter(name => name.startsWith('AWS_'))) {
	Reflect.deleteProperty(process.env, name);
}

Object.assign(process.env, {
	AWS_EC2_METADATA_DISABLED: 'true',
	AWS_CONFIG_FILE: '/dev/null',
	AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
});

test.serial('without credentials in the options those of the environment are used', async t => {
	Object.assign(process.env, {
		AWS_ACCESS_KEY_ID: devCredentials.accessKeyId,
		AWS_SECRET_ACCESS_KEY: devCredentials.secretAccessKey,
	});
	t.teardown(() => {
		delete process.env['AWS_ACCESS_KEY_ID'];
		delete process.env['AWS_SECRET_ACCESS_KEY'];
	});
	const {endpoint, bucket} = await startTestDevServer(t);
	const store = createS3ObjectStore({bucket, region: 'us-east-1', endpoint});
	t.teardown(async () => store.close());
	await store.put('file', Buffer.from('x'));
	t.is((await store.head('file'))?.sizeBytes, 1);
});

test.serial('an endpoint in the environment is not ours to follow', async t => {
	process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:9';
	t.teardown(() => {
		delete process.env['AWS_ENDPOINT_URL'];
	});
	const {endpoint, bucket, credentials} = await startTestDevServer(t);
	const store = createS3ObjectStore({bucket, region: 'us-east-1', endpoint, credentials});
	t.teardown(async () => store.close());
	t.is(await store.head('file'), undefined);
});

test.serial('no credentials at all is badCredentials, in words for people and without another attempt', async t => {
	const {endpoint, bucket, server} = await startTestDevServer(t);
	server.requests.clear();
	const store = createS3ObjectStore({bucket, region: 'us-east-1', endpoint});
	t.teardown(async () => store.close());
	const error = await throwsStoreError(t, 'badCredentials', store.head('file'));
	t.regex(error.message, /^Cannot look up "file" in bucket "test": no credentials were found; give them in the secret/);
	t.is(server.requests.count(), 0);
});
