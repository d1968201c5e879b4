import type {Credentials} from '../../../../src/node/launch/daemon-protocol.ts';
import type {Need} from '../../../support/needs.ts';

const {
	PNX_VOLUME_TEST_S3_ENDPOINT: endpoint,
	PNX_VOLUME_TEST_S3_ACCESS_KEY: accessKeyId = '',
	PNX_VOLUME_TEST_S3_SECRET_KEY: secretAccessKey = '',
} = process.env;

/** The Ceph RGW that `npm run test:rgw` has started; its `endpoint` is empty where there is none. */
export const rgwServer: {
	readonly endpoint: string;
	readonly credentials: Pick<Credentials, 'accessKeyId' | 'secretAccessKey'>;
} = {
	endpoint: endpoint ?? '',
	credentials: {accessKeyId, secretAccessKey},
};

export const rgw: Need = {
	what: 'an S3 server of its own',
	missing: endpoint === undefined ? 'no PNX_VOLUME_TEST_S3_ENDPOINT, which npm run test:rgw sets' : undefined,
};
