import {abortMultipartUpload} from './actions/abort-multipart-upload.ts';
import {deleteBucketSetting, getBucketSetting, putBucketSetting} from './actions/bucket-settings.ts';
import {getBucketVersioning, putBucketVersioning} from './actions/bucket-versioning.ts';
import {completeMultipartUpload} from './actions/complete-multipart-upload.ts';
import {copyObject} from './actions/copy-object.ts';
import {createBucket} from './actions/create-bucket.ts';
import {createMultipartUpload} from './actions/create-multipart-upload.ts';
import {deleteBucket} from './actions/delete-bucket.ts';
import {deleteObject} from './actions/delete-object.ts';
import {deleteObjects} from './actions/delete-objects.ts';
import {getBucketAcl, getObjectAcl, putAccessList} from './actions/get-access-list.ts';
import {getBucketLocation} from './actions/get-bucket-location.ts';
import {getObjectAttributes} from './actions/get-object-attributes.ts';
import {getObject, headObject} from './actions/get-object.ts';
import {headBucket} from './actions/head-bucket.ts';
import {listBuckets} from './actions/list-buckets.ts';
import {listMultipartUploads} from './actions/list-multipart-uploads.ts';
import {listObjectVersions} from './actions/list-object-versions.ts';
import {listObjects, listObjectsV2} from './actions/list-objects.ts';
import {listParts} from './actions/list-parts.ts';
import {deleteObjectTagging, getObjectTagging, putObjectTagging} from './actions/object-tagging.ts';
import {putObject} from './actions/put-object.ts';
import {uploadPartCopy} from './actions/upload-part-copy.ts';
import {uploadPart} from './actions/upload-part.ts';
import type {Action} from './call.ts';

/** What the server can do, by S3's names. Operations of S3 that are not here are answered with 501 NotImplemented. */
export const actions: ReadonlyMap<string, Action> = new Map<string, Action>(
	Object.entries({
		AbortMultipartUpload: abortMultipartUpload,
		CompleteMultipartUpload: completeMultipartUpload,
		CopyObject: copyObject,
		CreateBucket: createBucket,
		CreateMultipartUpload: createMultipartUpload,
		DeleteBucket: deleteBucket,
		DeleteBucketEncryption: deleteBucketSetting('encryption'),
		DeleteBucketLifecycle: deleteBucketSetting('lifecycle'),
		DeleteBucketOwnershipControls: deleteBucketSetting('ownershipControls'),
		DeleteBucketPolicy: deleteBucketSetting('policy'),
		DeleteBucketTagging: deleteBucketSetting('tagging'),
		DeleteObject: deleteObject,
		DeleteObjectTagging: deleteObjectTagging,
		DeleteObjects: deleteObjects,
		DeletePublicAccessBlock: deleteBucketSetting('publicAccessBlock'),
		GetBucketAcl: getBucketAcl,
		GetBucketEncryption: getBucketSetting('encryption'),
		GetBucketLifecycleConfiguration: getBucketSetting('lifecycle'),
		GetBucketLocation: getBucketLocation,
		GetBucketOwnershipControls: getBucketSetting('ownershipControls'),
		GetBucketPolicy: getBucketSetting('policy'),
		GetBucketTagging: getBucketSetting('tagging'),
		GetBucketVersioning: getBucketVersioning,
		GetObject: getObject,
		GetObjectAcl: getObjectAcl,
		GetObjectAttributes: getObjectAttributes,
		GetObjectTagging: getObjectTagging,
		GetPublicAccessBlock: getBucketSetting('publicAccessBlock'),
		HeadBucket: headBucket,
		HeadObject: headObject,
		ListBuckets: listBuckets,
		ListMultipartUploads: listMultipartUploads,
		ListObjectVersions: listObjectVersions,
		ListObjects: listObjects,
		ListObjectsV2: listObjectsV2,
		ListParts: listParts,
		PutBucketAcl: putAccessList,
		PutBucketEncryption: putBucketSetting('encryption', 200),
		PutBucketLifecycleConfiguration: putBucketSetting('lifecycle', 200),
		PutBucketOwnershipControls: putBucketSetting('ownershipControls', 200),
		PutBucketPolicy: putBucketSetting('policy', 204),
		PutBucketTagging: putBucketSetting('tagging', 204),
		PutBucketVersioning: putBucketVersioning,
		PutObject: putObject,
		PutObjectAcl: putAccessList,
		PutObjectTagging: putObjectTagging,
		PutPublicAccessBlock: putBucketSetting('publicAccessBlock', 200),
		UploadPart: uploadPart,
		UploadPartCopy: uploadPartCopy,
	}),
);
