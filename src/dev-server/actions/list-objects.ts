import {xmlAnswer, type Action} from '../call.ts';
import {toIsoTime} from '../iso-time.ts';
import {listKeys, parseCountMax, parseKeyEncoding, type ListStart, type Listing, type EncodeKey} from '../listing.ts';
import {owner} from '../owner.ts';
import {S3Error} from '../s3-error.ts';
import type {StoredBucket} from '../storage/stored-bucket.ts';
import {writeXml, type XmlContent} from '../xml-writer.ts';

export const listObjectsV2: Action = call => {
	const {name, query, bucket, encode, prefix, delimiter, countMax} = parseListing(call);
	const startAfter = query.get('start-after');
	const token = query.get('continuation-token');
	const start = token === undefined ? {after: startAfter} : parseToken(token);
	const listing = listKeys(bucket.currentKeys, {prefix, delimiter, start, countMax});
	return xmlAnswer(
		writeXml('ListBucketResult', {
			Name: name,
			Prefix: encode(prefix),
			StartAfter: startAfter === undefined ? undefined : encode(startAfter),
			ContinuationToken: token,
			NextContinuationToken: listing.isTruncated ? writeToken(listing) : undefined,
			KeyCount: listing.entries.length,
			MaxKeys: countMax,
			Delimiter: delimiter === '' ? undefined : encode(delimiter),
			EncodingType: query.get('encoding-type'),
			IsTruncated: listing.isTruncated,
			...listingContent(bucket, listing, {encode, isOwnerShown: query.get('fetch-owner') === 'true'}),
		}),
	);
};

export const listObjects: Action = call => {
	const {name, query, bucket, encode, prefix, delimiter, countMax} = parseListing(call);
	const marker = query.get('marker') ?? '';
	const listing = listKeys(bucket.currentKeys, {
		prefix,
		delimiter,
		start: parseMarker(marker, {prefix, delimiter}),
		countMax,
	});
	return xmlAnswer(
		writeXml('ListBucketResult', {
			Name: name,
			Prefix: encode(prefix),
			Marker: encode(marker),
			// Without a delimiter the last key serves, and S3 leaves this out.
			NextMarker: listing.isTruncated && delimiter !== '' ? encode(listing.entries.at(-1)?.key ?? '') : undefined,
			MaxKeys: countMax,
			Delimiter: delimiter === '' ? undefined : encode(delimiter),
			EncodingType: query.get('encoding-type'),
			IsTruncated: listing.isTruncated,
			...listingContent(bucket, listing, {encode, isOwnerShown: true}),
		}),
	);
};

/** What both versions of the call take. */
const parseListing = ({storage, target: {bucket: name, query}}: Parameters<Action>[0]) => ({
	name,
	query,
	bucket: storage.bucket(name),
	encode: parseKeyEncoding(query.get('encoding-type')),
	prefix: query.get('prefix') ?? '',
	delimiter: query.get('delimiter') ?? '',
	countMax: parseCountMax(query.get('max-keys'), 'max-keys'),
});

/** A marker that is itself a common prefix was the last of its page: everything below it was shown. */
export const parseMarker = (marker: string, {prefix, delimiter}: {prefix: string; delimiter: string}): ListStart => {
	if (marker === '') {
		return {};
	}

	const end = delimiter !== '' && marker.startsWith(prefix) ? marker.indexOf(delimiter, prefix.length) : -1;
	return end !== -1 && end + delimiter.length === marker.length ? {pastPrefix: marker} : {after: marker};
};

const listingContent = (
	bucket: StoredBucket,
	{entries}: Listing,
	{encode, isOwnerShown}: {encode: EncodeKey; isOwnerShown: boolean},
): Record<string, XmlContent> => ({
	Contents: entries
		.filter(entry => !entry.isPrefix)
		.map(({key}) => {
			const object = bucket.current(key)!; // The index holds the keys that have a current object.
			return {
				Key: encode(key),
				LastModified: toIsoTime(object.lastModifiedMs),
				ETag: `"${object.etag}"`,
				ChecksumAlgorithm: object.checksum?.algorithm,
				ChecksumType: object.checksum?.type,
				Size: object.sizeBytes,
				Owner: isOwnerShown ? owner : undefined,
				StorageClass: object.storageClass,
			};
		}),
	CommonPrefixes: entries.filter(entry => entry.isPrefix).map(({key}) => ({Prefix: encode(key)})),
});

const writeToken = ({entries}: Listing): string => {
	const last = entries.at(-1)!; // A truncated page is not empty.
	return Buffer.from(`${last.isPrefix ? 'p' : 'k'}${last.key}`).toString('base64url');
};

const parseToken = (token: string): ListStart => {
	const text = Buffer.from(token, 'base64url').toString();
	if (text.startsWith('k')) {
		return {after: text.slice(1)};
	}

	if (text.startsWith('p')) {
		return {pastPrefix: text.slice(1)};
	}

	throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect', {
		fields: {ArgumentName: 'continuation-token'},
	});
};
