/** The POSIX cases through everything: kernel, daemon, Ceph RGW. */
import {randomUUID} from 'node:crypto';
import test from 'ava';
import {runMountedS3Cases} from '../support/run-mounted-s3-cases.ts';

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
	runMountedS3Cases(test, async () => ({
		bucket: `posix-${randomUUID()}`,
		endpoint,
		credentials: {accessKeyId, secretAccessKey},
	}));
}
