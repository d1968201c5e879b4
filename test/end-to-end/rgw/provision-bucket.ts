import {randomUUID} from 'node:crypto';
import {
	GetBucketLifecycleConfigurationCommand,
	GetBucketTaggingCommand,
	GetBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {provisionBucket} from '../../../src/store/provision-bucket.ts';
import {createSdkClient} from '../../../src/store/s3-sdk-client.ts';
import {testThatNeeds} from '../../support/needs.ts';
import {rgw, rgwServer} from './support/rgw-server.ts';
import {throwsStoreError} from '../../support/test-s3-store.ts';

const {endpoint, credentials} = rgwServer;
const {test} = testThatNeeds(rgw);
const toOptions = (name: string, more: Record<string, string> = {}) =>
	parseVolumeOptions({name, endpoint, 'path-style': 'true', ...more});

for (const region of ['us-east-1', 'eu-central-1']) {
	test(`provisionBucket() makes a bucket with what Ceph RGW can do, on three nodes at once, in region ${region}`, async t => {
		const bucket = `provision-${randomUUID()}`;
		const unknown = new Set<unknown>();
		const provision = async () =>
			provisionBucket({
				options: toOptions(bucket, {region}),
				credentials,
				log: (_message, {setting}) => unknown.add(setting),
			});
		t.true((await Promise.all([provision(), provision(), provision()])).some(({created}) => created));
		t.deepEqual(await provision(), {created: false, completed: false});
		unknown.delete(undefined); // The message that it was created has none.
		t.deepEqual([...unknown], ['ownership']);
		const client = createSdkClient({region: 'us-east-1', endpoint, pathStyle: true, credentials});
		t.teardown(() => client.destroy());
		t.is((await client.send(new GetBucketVersioningCommand({Bucket: bucket}))).Status, 'Enabled');
		t.is((await client.send(new GetBucketLifecycleConfigurationCommand({Bucket: bucket}))).Rules?.length, 1);
		t.deepEqual(
			(await client.send(new GetBucketTaggingCommand({Bucket: bucket}))).TagSet?.find(
				({Key}) => Key === 'pnx-volume:provisioning',
			)?.Value,
			'done',
		);
	});
}

test('provisionBucket() tells why a bucket of Ceph RGW cannot be used', async t => {
	const name = `provision-${randomUUID()}`;
	await throwsStoreError(
		t,
		'noSuchBucket',
		provisionBucket({options: toOptions(name, {provision: 'false'}), credentials}),
	);
	await throwsStoreError(
		t,
		'badCredentials',
		provisionBucket({options: toOptions(name), credentials: {...credentials, accessKeyId: 'nobody'}}),
	);
	await throwsStoreError(
		t,
		'badCredentials',
		provisionBucket({options: toOptions(name), credentials: {...credentials, secretAccessKey: 'wrong'}}),
	);
});
