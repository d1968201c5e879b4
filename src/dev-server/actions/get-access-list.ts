import {xmlAnswer, type Action} from '../call.ts';
import {findObject} from '../object-answer.ts';
import {accessControlPolicy} from '../owner.ts';
import {S3Error} from '../s3-error.ts';
import {writeXml} from '../xml-writer.ts';

export const getBucketAcl: Action = ({storage, target}) => {
	storage.bucket(target.bucket);
	return xmlAnswer(writeXml('AccessControlPolicy', accessControlPolicy));
};

export const getObjectAcl: Action = ({storage, target}) => {
	findObject(storage.bucket(target.bucket), target.key, target.query.get('versionId'));
	return xmlAnswer(writeXml('AccessControlPolicy', accessControlPolicy));
};

/** Buckets here have no ACLs, as S3 makes them since 2023. */
export const putAccessList: Action = ({storage, target}) => {
	storage.bucket(target.bucket);
	throw new S3Error('AccessControlListNotSupported', 'The bucket does not allow ACLs');
};
