import {headerOf, xmlAnswer, type Action, type Call} from '../call.ts';
import {assertWriteConditions} from '../conditions.ts';
import {findCopySource, type CopySource} from '../copy-source.ts';
import {newVersionId, toWholeSecondsMs} from '../new-version.ts';
import {checksumContent, versionHeader} from '../object-answer.ts';
import {parseObjectAttributes} from '../object-attributes.ts';
import {S3Error} from '../s3-error.ts';
import type {StoredBucket} from '../storage/stored-bucket.ts';
import type {ObjectAttributes, StoredObject} from '../storage/stored-state.ts';
import {writeXml} from '../xml-writer.ts';

const sourceBytesMax = 5 * 2 ** 30;

/**
The copy shares the bytes of its source, and keeps its etag also when that is a multipart one (S3 would compute a
new one).
*/
export const copyObject: Action = call => {
	const {storage, target, nowMs} = call;
	const bucket = storage.bucket(target.bucket);
	const source = findCopySource(call);
	if (source.object.sizeBytes > sourceBytesMax) {
		throw new S3Error(
			'InvalidRequest',
			`The specified copy source is larger than the maximum allowable size for a copy source: ${sourceBytesMax}`,
		);
	}

	const attributes = chooseAttributes(call, bucket, source);
	assertWriteConditions(call, bucket.current(target.key));
	const versionId = newVersionId(bucket);
	const {etag, sizeBytes, segments, checksum} = source.object;
	const copy: StoredObject = {
		kind: 'object',
		versionId,
		lastModifiedMs: toWholeSecondsMs(nowMs),
		etag,
		sizeBytes,
		segments,
		checksum: checksum?.type === 'FULL_OBJECT' ? checksum : undefined,
		...attributes,
	};
	storage.commit({op: 'version', bucket: bucket.name, key: target.key, version: copy});
	return xmlAnswer(
		writeXml('CopyObjectResult', {
			LastModified: new Date(copy.lastModifiedMs).toISOString(),
			ETag: `"${etag}"`,
			...checksumContent(copy.checksum),
		}),
		{
			...attributes.encryption,
			...versionHeader(bucket, versionId),
			...(source.bucket.versioning === '' ? {} : {'x-amz-copy-source-version-id': source.object.versionId}),
		},
	);
};

const chooseAttributes = (call: Call, bucket: StoredBucket, source: CopySource): ObjectAttributes => {
	const directive = parseDirective(call, 'x-amz-metadata-directive');
	const tagDirective = parseDirective(call, 'x-amz-tagging-directive');
	const requested = parseObjectAttributes(call, bucket);
	const isOntoItself = source.bucket === bucket && source.key === call.target.key && source.versionId === undefined;
	const changes = ['x-amz-storage-class', 'x-amz-server-side-encryption', 'x-amz-website-redirect-location'].some(
		name => headerOf(call, name) !== undefined,
	);
	if (isOntoItself && directive === 'COPY' && !changes) {
		throw new S3Error(
			'InvalidRequest',
			"This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
		);
	}

	const {headers, metadata} = directive === 'COPY' ? source.object : requested;
	return {...requested, headers, metadata, tags: tagDirective === 'COPY' ? source.object.tags : requested.tags};
};

const parseDirective = (call: Call, name: string): 'COPY' | 'REPLACE' => {
	const directive = headerOf(call, name) ?? 'COPY';
	if (directive !== 'COPY' && directive !== 'REPLACE') {
		throw new S3Error('InvalidArgument', `Unknown ${name}.`, {fields: {ArgumentName: name, ArgumentValue: directive}});
	}

	return directive;
};
