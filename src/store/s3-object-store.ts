import type {ObjectStore} from './object-store.ts';
import {S3Connection, type S3ConnectionOptions} from './s3-connection.ts';
import {S3Deletions} from './s3-deletions.ts';
import {S3LookBefore} from './s3-look-before.ts';
import {S3Multipart} from './s3-multipart.ts';
import {S3Reads} from './s3-reads.ts';
import {S3Scope} from './s3-scope.ts';
import {S3Writes} from './s3-writes.ts';

export type S3ObjectStoreOptions = S3ConnectionOptions & {
	/** Empty, or ending in a slash: put before every key, and taken off every answer. Callers never see it. */
	readonly keyPrefix?: string | undefined;
};

/** The objects of one bucket (below one prefix) on any server that speaks S3. */
export const createS3ObjectStore = ({keyPrefix = '', ...options}: S3ObjectStoreOptions): ObjectStore => {
	const connection = new S3Connection(options);
	const isEncrypted = options.endpoint?.startsWith('http:') !== true;
	const scope = new S3Scope(connection, {bucket: options.bucket, keyPrefix, isEncrypted});
	const deletions = new S3Deletions(scope);
	const lookBefore = new S3LookBefore(scope, {knowsConditions: async () => deletions.isConditional()});
	const [reads, writes, multipart] = [
		new S3Reads(scope),
		new S3Writes(scope, lookBefore),
		new S3Multipart(scope, lookBefore),
	];
	return {
		head: async (key, request) => reads.head(key, request),
		get: async (key, request) => reads.get(key, request),
		list: async request => reads.list(request),
		put: async (key, body, request) => writes.put(key, body, request),
		copy: async (source, key, request) => writes.copy(source, key, request),
		delete: async (key, request) => deletions.delete(key, request),
		deleteMany: async (objects, request) => deletions.deleteMany(objects, request),
		createMultipartUpload: async (key, request) => multipart.createMultipartUpload(key, request),
		uploadPart: async (...parameters) => multipart.uploadPart(...parameters),
		uploadPartCopy: async (...parameters) => multipart.uploadPartCopy(...parameters),
		completeMultipartUpload: async (...parameters) => multipart.completeMultipartUpload(...parameters),
		abortMultipartUpload: async (upload, request) => multipart.abortMultipartUpload(upload, request),
		close: async () => connection.close(),
	};
};
