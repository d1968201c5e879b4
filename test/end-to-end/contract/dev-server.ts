import {PutBucketVersioningCommand} from '@aws-sdk/client-s3';
import {createS3ObjectStore} from '../../../src/store/s3-object-store.ts';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';
import {objectStoreContract} from './support/object-store-contract.ts';

for (const keyPrefix of ['', 'volumes/é x/']) {
	objectStoreContract({
		name: keyPrefix === '' ? 'dev server' : 'dev server below a prefix',
		createStore: async (t, {isVersioned}) => {
			const {endpoint, bucket, credentials} = await startTestDevServer(t);
			if (isVersioned) {
				await createTestClient(t, {endpoint}).send(
					new PutBucketVersioningCommand({Bucket: bucket, VersioningConfiguration: {Status: 'Enabled'}}),
				);
			}

			const store = createS3ObjectStore({
				bucket,
				region: 'us-east-1',
				endpoint,
				credentials,
				keyPrefix,
				timeoutMs: 300_000,
			});
			t.teardown(async () => store.close());
			return store;
		},
		supports: {
			conditionalCopy: true,
			conditionalComplete: true,
			conditionalCopySource: true,
			ifMatchTellsAbsence: true,
			versioning: true,
		},
	});
}
