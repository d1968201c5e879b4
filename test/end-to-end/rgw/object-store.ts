import {randomUUID} from 'node:crypto';
import {CreateBucketCommand, PutBucketVersioningCommand} from '@aws-sdk/client-s3';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {createSdkClient} from '../../../src/store/s3-sdk-client.ts';
import {rgw, rgwServer} from './support/rgw-server.ts';
import {objectStoreContract} from '../contract/support/object-store-contract.ts';

objectStoreContract({
	name: 'Ceph RGW',
	needs: [rgw],
	createStore: async (t, {isVersioned}) => {
		const bucket = `contract-${randomUUID()}`;
		const connection = {
			bucket,
			region: 'us-east-1',
			pathStyle: true,
			...rgwServer,
		};
		const client = createSdkClient(connection);
		await client.send(new CreateBucketCommand({Bucket: bucket}));
		if (isVersioned) {
			await client.send(new PutBucketVersioningCommand({Bucket: bucket, VersioningConfiguration: {Status: 'Enabled'}}));
		}

		client.destroy();
		const store = createS3ObjectStore({...connection, keyPrefix: 'é x/'});
		t.teardown(async () => store.close());
		return store;
	},
	// Ceph 16 ignores all conditions on copies and completions: the store looks before each of them.
	supports: {
		conditionalCopy: true,
		conditionalComplete: true,
		conditionalCopySource: true,
		ifMatchTellsAbsence: false,
		versioning: true,
	},
});
