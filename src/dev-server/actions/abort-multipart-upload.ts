import type {Action} from '../call.ts';

export const abortMultipartUpload: Action = ({storage, target}) => {
	const bucket = storage.bucket(target.bucket);
	const {upload} = storage.upload(bucket, target.key, target.query.get('uploadId'));
	storage.commit({op: 'dropUpload', bucket: bucket.name, uploadId: upload.id});
	return {status: 204};
};
