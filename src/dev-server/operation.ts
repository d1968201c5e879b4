import type {IncomingHttpHeaders} from 'node:http';
import type {RequestTarget} from './request-target.ts';

// Each sub-resource of a bucket with the operations that it has, by method.
const bucketResources: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	accelerate: {GET: 'GetBucketAccelerateConfiguration', PUT: 'PutBucketAccelerateConfiguration'},
	acl: {GET: 'GetBucketAcl', PUT: 'PutBucketAcl'},
	cors: {GET: 'GetBucketCors', PUT: 'PutBucketCors', DELETE: 'DeleteBucketCors'},
	delete: {POST: 'DeleteObjects'},
	encryption: {GET: 'GetBucketEncryption', PUT: 'PutBucketEncryption', DELETE: 'DeleteBucketEncryption'},
	lifecycle: {
		GET: 'GetBucketLifecycleConfiguration',
		PUT: 'PutBucketLifecycleConfiguration',
		DELETE: 'DeleteBucketLifecycle',
	},
	location: {GET: 'GetBucketLocation'},
	logging: {GET: 'GetBucketLogging', PUT: 'PutBucketLogging'},
	notification: {GET: 'GetBucketNotificationConfiguration', PUT: 'PutBucketNotificationConfiguration'},
	'object-lock': {GET: 'GetObjectLockConfiguration', PUT: 'PutObjectLockConfiguration'},
	ownershipControls: {
		GET: 'GetBucketOwnershipControls',
		PUT: 'PutBucketOwnershipControls',
		DELETE: 'DeleteBucketOwnershipControls',
	},
	policy: {GET: 'GetBucketPolicy', PUT: 'PutBucketPolicy', DELETE: 'DeleteBucketPolicy'},
	policyStatus: {GET: 'GetBucketPolicyStatus'},
	publicAccessBlock: {GET: 'GetPublicAccessBlock', PUT: 'PutPublicAccessBlock', DELETE: 'DeletePublicAccessBlock'},
	replication: {GET: 'GetBucketReplication', PUT: 'PutBucketReplication', DELETE: 'DeleteBucketReplication'},
	requestPayment: {GET: 'GetBucketRequestPayment', PUT: 'PutBucketRequestPayment'},
	tagging: {GET: 'GetBucketTagging', PUT: 'PutBucketTagging', DELETE: 'DeleteBucketTagging'},
	uploads: {GET: 'ListMultipartUploads'},
	versioning: {GET: 'GetBucketVersioning', PUT: 'PutBucketVersioning'},
	versions: {GET: 'ListObjectVersions'},
	website: {GET: 'GetBucketWebsite', PUT: 'PutBucketWebsite', DELETE: 'DeleteBucketWebsite'},
};

const objectResources: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	acl: {GET: 'GetObjectAcl', PUT: 'PutObjectAcl'},
	attributes: {GET: 'GetObjectAttributes'},
	'legal-hold': {GET: 'GetObjectLegalHold', PUT: 'PutObjectLegalHold'},
	renameObject: {PUT: 'RenameObject'},
	restore: {POST: 'RestoreObject'},
	retention: {GET: 'GetObjectRetention', PUT: 'PutObjectRetention'},
	select: {POST: 'SelectObjectContent'},
	tagging: {GET: 'GetObjectTagging', PUT: 'PutObjectTagging', DELETE: 'DeleteObjectTagging'},
	torrent: {GET: 'GetObjectTorrent'},
	uploads: {POST: 'CreateMultipartUpload'},
};

const bucketOperations: Readonly<Record<string, string>> = {
	PUT: 'CreateBucket',
	DELETE: 'DeleteBucket',
	HEAD: 'HeadBucket',
};
const objectOperations: Readonly<Record<string, string>> = {
	GET: 'GetObject',
	HEAD: 'HeadObject',
	DELETE: 'DeleteObject',
};

/** S3's name for what a request asks for; `undefined` when S3 has no such operation. */
export const operationOf = (
	method: string,
	{bucket, key, query}: RequestTarget,
	headers: IncomingHttpHeaders,
): string | undefined => {
	if (bucket === '') {
		return method === 'GET' ? 'ListBuckets' : undefined;
	}

	for (const name of query.keys()) {
		const resource = (key === '' ? bucketResources : objectResources)[name];
		if (resource !== undefined) {
			return resource[method];
		}
	}

	if (key === '') {
		return method === 'GET'
			? query.get('list-type') === '2'
				? 'ListObjectsV2'
				: 'ListObjects'
			: bucketOperations[method];
	}

	const isCopy = headers['x-amz-copy-source'] !== undefined;
	if (query.has('uploadId')) {
		return {
			GET: 'ListParts',
			PUT: isCopy ? 'UploadPartCopy' : 'UploadPart',
			POST: 'CompleteMultipartUpload',
			DELETE: 'AbortMultipartUpload',
		}[method];
	}

	return method === 'PUT' ? (isCopy ? 'CopyObject' : 'PutObject') : objectOperations[method];
};
