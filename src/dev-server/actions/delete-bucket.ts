import type {Action} from '../call.ts';
import {S3Error} from '../s3-error.ts';

/** Only without objects, versions and delete markers; unfinished uploads go with the bucket. */
export const deleteBucket: Action = ({storage, target}) => {
	const bucket = storage.bucket(target.bucket);
	if (bucket.allKeys.count > 0) {
		throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty', {
			fields: {BucketName: bucket.name},
		});
	}

	const uploads = [...bucket.uploads.keys()].map(
		uploadId => ({op: 'dropUpload', bucket: bucket.name, uploadId}) as const,
	);
	storage.commit(...uploads, {op: 'dropBucket', bucket: bucket.name});
	return {status: 204};
};
