import type {Action} from '../call.ts';

export const headBucket: Action = ({storage, target}) => {
	const bucket = storage.bucket(target.bucket);
	return {
		status: 200,
		headers: {
			'x-amz-bucket-region': bucket.region,
			'x-amz-access-point-alias': 'false',
			'content-type': 'application/xml',
		},
	};
};
