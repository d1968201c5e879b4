import {toOneLine} from '../model/error-text.ts';
import {isStoreError, type StoreErrorCode} from '../model/store-error.ts';
import type {Check} from './check.ts';

const allow =
	'allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on its objects; or choose another bucket or other credentials';
const reach = 'check --endpoint, --region and the network, and try again';

/** What to do about each failure of the store. */
const remedies: Readonly<Partial<Record<StoreErrorCode, string>>> = {
	accessDenied: allow,
	badCredentials: 'check the access key and its secret; renew temporary credentials',
	bucketTaken: 'choose another name: the bucket belongs to another account',
	clockSkew: 'synchronise the clock: timedatectl set-ntp true, or start chronyd',
	noSuchBucket: 'create it (pnx-volume provision), or check its name, --endpoint and --region',
	throttled: 'wait, and find out who else sends requests to this bucket',
	timeout: reach,
	unavailable: reach,
	wrongRegion: 'give its region as --region',
};

/** A check that failed with this error. What is not the store's failure is a bug, and thrown on. */
export const toFailedCheck = (name: string, error: unknown): Check => {
	if (!isStoreError(error)) {
		throw error;
	}

	const remedy =
		error.code === 'wrongRegion' && error.region !== undefined
			? `give --region ${error.region}`
			: (remedies[error.code] ??
				'the server gives no reason: look into its log, or try another S3 tool with the same credentials');
	return {name, status: 'failed', found: toOneLine(error.message), remedy};
};
