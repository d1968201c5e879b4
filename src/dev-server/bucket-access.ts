import {checkBucketName} from '../model/bucket-name.ts';
import type {FaultSettings} from './fault-settings.ts';
import type {RequestTarget} from './request-target.ts';
import {S3Error} from './s3-error.ts';
import type {Signature} from './signature.ts';
import type {Storage} from './storage/storage.ts';

type Access = {
	readonly operation: string;
	readonly target: RequestTarget;
	readonly copySource: string | string[] | undefined;
	readonly signature: Signature;
	readonly storage: Storage;
	readonly faults: FaultSettings;
	/** The one region of this server, when it has one. */
	readonly region: string | undefined;
};

/** Throws when the bucket is somebody else's, or when the request was signed for another region than the bucket's. */
export const assertBucketAccess = ({
	operation,
	target,
	copySource,
	signature,
	storage,
	faults,
	region,
}: Access): void => {
	if (faults.foreignBuckets.includes(target.bucket)) {
		throw operation === 'CreateBucket'
			? new S3Error(
					'BucketAlreadyExists',
					'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
					{fields: {BucketName: target.bucket}},
				)
			: new S3Error('AccessDenied', 'Access Denied');
	}

	const sourceBucket = /^\/?([^/]+)/.exec(String(copySource ?? ''))?.[1];
	if (sourceBucket !== undefined && faults.foreignBuckets.includes(sourceBucket)) {
		throw new S3Error('AccessDenied', 'Access Denied');
	}

	if (target.bucket !== '' && checkBucketName(target.bucket) !== undefined) {
		throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.', {fields: {BucketName: target.bucket}});
	}

	if (region !== undefined && signature.region !== region) {
		throw wrongRegion(signature.region, region);
	}

	const bucketRegion = storage.findBucket(target.bucket)?.region;
	if (bucketRegion === undefined || bucketRegion === signature.region || operation === 'CreateBucket') {
		return;
	}

	if (operation === 'HeadBucket') {
		throw new S3Error(
			'PermanentRedirect',
			'The bucket you are attempting to access must be addressed using the specified endpoint.',
			{headers: {'x-amz-bucket-region': bucketRegion}},
		);
	}

	// The first region's endpoint knows where every bucket is.
	if (operation !== 'GetBucketLocation' || signature.region !== 'us-east-1') {
		throw wrongRegion(signature.region, bucketRegion);
	}
};

const wrongRegion = (given: string, expected: string) =>
	new S3Error(
		'AuthorizationHeaderMalformed',
		`The authorization header is malformed; the region '${given}' is wrong; expecting '${expected}'`,
		{
			fields: {Region: expected},
			headers: {'x-amz-bucket-region': expected},
		},
	);
