import {headerOf, type Call} from './call.ts';
import {S3Error} from './s3-error.ts';
import type {StoredBucket} from './storage/stored-bucket.ts';
import type {ObjectAttributes, TextByName} from './storage/stored-state.ts';
import {parseTags} from './tags.ts';

const metadataPrefix = 'x-amz-meta-';
const metadataBytesMax = 2048;
const storedHeaders = [
	'cache-control',
	'content-disposition',
	'content-language',
	'expires',
	'x-amz-website-redirect-location',
];
const storageClasses = new Set([
	'STANDARD',
	'REDUCED_REDUNDANCY',
	'STANDARD_IA',
	'ONEZONE_IA',
	'INTELLIGENT_TIERING',
	'GLACIER',
	'DEEP_ARCHIVE',
	'GLACIER_IR',
]);

/** What the headers of a write say of the object that it makes. */
export const parseObjectAttributes = (call: Call, bucket: StoredBucket): ObjectAttributes => {
	assertSupported(call);
	const storageClass = headerOf(call, 'x-amz-storage-class') ?? 'STANDARD';
	if (!storageClasses.has(storageClass)) {
		throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid');
	}

	return {
		headers: parseStoredHeaders(call),
		metadata: parseMetadata(call),
		tags: parseTagHeader(headerOf(call, 'x-amz-tagging')),
		storageClass,
		encryption: parseEncryption(call, bucket),
	};
};

const assertSupported = (call: Call): void => {
	const acl = headerOf(call, 'x-amz-acl');
	if (acl !== undefined && acl !== 'private' && acl !== 'bucket-owner-full-control') {
		throw new S3Error('AccessControlListNotSupported', 'The bucket does not allow ACLs');
	}

	for (const name of [
		'x-amz-server-side-encryption-customer-algorithm',
		'x-amz-object-lock-mode',
		'x-amz-object-lock-legal-hold',
		'x-amz-write-offset-bytes',
	]) {
		if (headerOf(call, name) !== undefined) {
			throw new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented', {
				fields: {Header: name},
			});
		}
	}
};

const parseStoredHeaders = (call: Call): TextByName => {
	const headers: Record<string, string> = {'content-type': headerOf(call, 'content-type') ?? 'binary/octet-stream'};
	// `aws-chunked` tells how the body travels, not what it is.
	const encoding = headerOf(call, 'content-encoding')
		?.split(',')
		.map(part => part.trim())
		.filter(part => part !== 'aws-chunked' && part !== '')
		.join(',');
	if (encoding !== undefined && encoding !== '') {
		headers['content-encoding'] = encoding;
	}

	for (const name of storedHeaders) {
		const value = headerOf(call, name);
		if (value !== undefined) {
			headers[name] = value;
		}
	}

	return headers;
};

const parseMetadata = ({request: {headers}}: Call): TextByName => {
	const metadata: Record<string, string> = {};
	let bytes = 0;
	for (const [header, value] of Object.entries(headers)) {
		if (header.startsWith(metadataPrefix) && value !== undefined) {
			const name = header.slice(metadataPrefix.length);
			metadata[name] = String(value);
			bytes += name.length + String(value).length; // One character is one byte on the wire.
		}
	}

	if (bytes > metadataBytesMax) {
		throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
			fields: {Size: String(bytes), MaxSizeAllowed: String(metadataBytesMax)},
		});
	}

	return metadata;
};

const parseTagHeader = (header: string | undefined): TextByName =>
	header === undefined ? {} : parseTags([...new URLSearchParams(header)], 10);

const parseEncryption = (call: Call, bucket: StoredBucket): TextByName => {
	const requested = headerOf(call, 'x-amz-server-side-encryption');
	const algorithm = requested ?? bucket.settings.get('encryption.algorithm') ?? 'AES256';
	if (algorithm !== 'AES256' && algorithm !== 'aws:kms' && algorithm !== 'aws:kms:dsse') {
		throw new S3Error('InvalidArgument', 'The encryption method specified is not supported', {
			fields: {ArgumentName: 'x-amz-server-side-encryption', ArgumentValue: algorithm},
		});
	}

	const key =
		headerOf(call, 'x-amz-server-side-encryption-aws-kms-key-id') ??
		(requested === undefined ? bucket.settings.get('encryption.key') : undefined);
	return {
		'x-amz-server-side-encryption': algorithm,
		...(algorithm === 'AES256' || key === undefined ? {} : {'x-amz-server-side-encryption-aws-kms-key-id': key}),
	};
};
