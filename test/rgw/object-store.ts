import {randomUUID} from 'node:crypto';
import {CreateBucketCommand, PutBucketVersioningCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';
import {createSdkClient} from '../../src/store/s3-sdk-client.ts';
import {objectStoreContract} from '../support/object-store-contract.ts';

const {
	PNX_VOLUME_TEST_S3_ENDPOINT: endpoint,
	PNX_VOLUME_TEST_S3_ACCESS_KEY: accessKeyId = '',
	PNX_VOLUME_TEST_S3_SECRET_KEY: secretAccessKey = '',
} = process.env;

if (endpoint === undefined) {
	test('skipped: no PNX_VOLUME_TEST_S3_ENDPOINT (npm run test:rgw sets it)', t => {
		t.pass();
	});
} else {
	objectStoreContract({
		name: 'Ceph RGW',
		createStore: async (t, {isVersioned}) => {
			const bucket = `contract-${randomUUID()}`;
			const connection = {
				bucket,
				region: 'us-east-1',
				endpoint,
				pathStyle: true,
				credentials: {accessKeyId, secretAccessKey},
			};
			const client = createSdkClient(connection);
			await client.send(new CreateBucketCommand({Bucket: bucket}));
			if (isVersioned) {
				await client.send(
					new PutBucketVersioningCommand({Bucket: bucket, VersioningConfiguration: {Status: 'Enabled'}}),
				);
			}

			client.destroy();
			const store = createS3ObjectStore({...connection, keyPrefix: 'é x/'});
			t.teardown(async () => store.close());
			return store;
		},
		// Ceph 16 ignores all conditions on copies and completions.
		supports: {
			conditionalCopy: false,
			conditionalComplete: false,
			conditionalCopySource: false,
			ifMatchTellsAbsence: false,
			versioning: true,
		},
	});
}
