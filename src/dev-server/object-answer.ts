import {headerOf, type Call} from './call.ts';
import {checksumElement, checksumHeader, type Checksum} from './checksum.ts';
import {S3Error} from './s3-error.ts';
import type {StoredBucket} from './storage/stored-bucket.ts';
import type {StoredObject} from './storage/stored-state.ts';
import type {XmlContent} from './xml-writer.ts';

type Headers = Record<string, string | number>;

/** The version that a read means: the newest, or the one that it names. Throws what S3 answers when there is none. */
export const findObject = (bucket: StoredBucket, key: string, versionId: string | undefined): StoredObject => {
	const version = versionId === undefined ? bucket.newest(key) : findVersion(bucket, key, versionId);
	if (version?.kind === 'object') {
		return version;
	}

	const headers = version === undefined ? {} : {'x-amz-delete-marker': 'true', 'x-amz-version-id': version.versionId};
	if (version !== undefined && versionId !== undefined) {
		throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
			fields: {Method: 'GET', ResourceType: 'DeleteMarker'},
			headers: {...headers, allow: 'DELETE', 'last-modified': new Date(version.lastModifiedMs).toUTCString()},
		});
	}

	throw new S3Error('NoSuchKey', 'The specified key does not exist.', {fields: {Key: key}, headers});
};

const findVersion = (bucket: StoredBucket, key: string, versionId: string) => {
	const version = bucket.version(key, versionId);
	if (version === undefined) {
		assertVersionId(versionId);
		throw new S3Error('NoSuchVersion', 'The specified version does not exist.', {
			fields: {Key: key, VersionId: versionId},
		});
	}

	return version;
};

/** Refuses what was never a version id of this server. */
export const assertVersionId = (versionId: string): void => {
	if (versionId !== 'null' && !/^[\w.-]{32}$/.test(versionId)) {
		throw new S3Error('InvalidArgument', 'Invalid version id specified', {
			fields: {ArgumentName: 'versionId', ArgumentValue: versionId},
		});
	}
};

/** The headers of a GET or HEAD, but for its length. */
export const objectHeaders = (bucket: StoredBucket, object: StoredObject): Headers => {
	const headers: Headers = {
		...object.headers,
		...object.encryption,
		...versionHeader(bucket, object.versionId),
		etag: `"${object.etag}"`,
		'last-modified': new Date(object.lastModifiedMs).toUTCString(),
		'accept-ranges': 'bytes',
	};
	for (const [name, value] of Object.entries(object.metadata)) {
		headers[`x-amz-meta-${name}`] = value;
	}

	if (object.storageClass !== 'STANDARD') {
		headers['x-amz-storage-class'] = object.storageClass;
	}

	const tagCount = Object.keys(object.tags).length;
	if (tagCount > 0) {
		headers['x-amz-tagging-count'] = tagCount;
	}

	return headers;
};

/** The checksum of the whole object, for readers that ask for it. */
export const requestedChecksumHeaders = (call: Call, object: StoredObject): Headers =>
	headerOf(call, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? checksumHeaders(object.checksum) : {};

export const checksumHeaders = (checksum: Checksum | undefined): Headers =>
	checksum === undefined
		? {}
		: {[checksumHeader(checksum.algorithm)]: checksum.value, 'x-amz-checksum-type': checksum.type};

/** The same as elements of a document. */
export const checksumContent = (checksum: Checksum | undefined): {readonly [name: string]: XmlContent} =>
	checksum === undefined ? {} : {[checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type};

/** Present from the moment versioning was turned on. */
export const versionHeader = (bucket: StoredBucket, versionId: string): Headers =>
	bucket.versioning === '' ? {} : {'x-amz-version-id': versionId};
