import {xmlAnswer, type Action} from '../call.ts';
import {toIsoTime} from '../iso-time.ts';
import {listKeys, parseCountMax, parseKeyEncoding, type EncodeKey} from '../listing.ts';
import {owner} from '../owner.ts';
import type {RequestTarget} from '../request-target.ts';
import {S3Error} from '../s3-error.ts';
import type {StoredBucket} from '../storage/stored-bucket.ts';
import type {StoredVersion} from '../storage/stored-state.ts';
import {writeXml, type XmlContent} from '../xml-writer.ts';
import {parseMarker} from './list-objects.ts';

type Entry = {readonly key: string; readonly version?: StoredVersion; readonly isLatest?: boolean};

type VersionsQuery = {
	readonly prefix: string;
	readonly delimiter: string;
	readonly countMax: number;
	readonly keyMarker: string;
	readonly versionMarker: string;
};

/** Every version and delete marker, by key, the newest first. A page may end among the versions of one key. */
export const listObjectVersions: Action = ({storage, target: {bucket: name, query}}) => {
	const bucket = storage.bucket(name);
	const encode = parseKeyEncoding(query.get('encoding-type'));
	const request = parseVersionsQuery(query);
	const {prefix, delimiter, countMax, keyMarker, versionMarker} = request;
	const entries = findEntries(bucket, request);
	const page = entries.slice(0, countMax);
	const isTruncated = countMax > 0 && entries.length > countMax;
	const last = page.at(-1);
	const contentsOf = (kind: StoredVersion['kind']): XmlContent[] =>
		page.filter(({version}) => version?.kind === kind).map(entry => toContent(entry, encode));
	return xmlAnswer(
		writeXml('ListVersionsResult', {
			Name: name,
			Prefix: encode(prefix),
			KeyMarker: encode(keyMarker),
			VersionIdMarker: versionMarker,
			NextKeyMarker: isTruncated ? encode(last?.key ?? '') : undefined,
			NextVersionIdMarker: isTruncated ? last?.version?.versionId : undefined,
			MaxKeys: countMax,
			Delimiter: delimiter === '' ? undefined : encode(delimiter),
			EncodingType: query.get('encoding-type'),
			IsTruncated: isTruncated,
			Version: contentsOf('object'),
			DeleteMarker: contentsOf('marker'),
			CommonPrefixes: page.filter(entry => entry.version === undefined).map(({key}) => ({Prefix: encode(key)})),
		}),
	);
};

const parseVersionsQuery = (query: RequestTarget['query']): VersionsQuery => {
	const countMax = parseCountMax(query.get('max-keys'), 'max-keys');
	const keyMarker = query.get('key-marker') ?? '';
	const versionMarker = query.get('version-id-marker') ?? '';
	if (versionMarker !== '' && keyMarker === '') {
		throw new S3Error('InvalidArgument', 'A version-id marker cannot be specified without a key marker.', {
			fields: {ArgumentName: 'version-id-marker'},
		});
	}

	const prefix = query.get('prefix') ?? '';
	const delimiter = query.get('delimiter') ?? '';
	return {prefix, delimiter, countMax, keyMarker, versionMarker};
};

/** More entries than fit on the page tell that it is not the last one. */
const findEntries = (bucket: StoredBucket, request: VersionsQuery): Entry[] => {
	const {prefix, delimiter, countMax, keyMarker, versionMarker} = request;
	const {entries: keys} = listKeys(bucket.allKeys, {
		prefix,
		delimiter,
		start: parseMarker(keyMarker, {prefix, delimiter}),
		countMax: countMax + 1,
	});
	const entries: Entry[] = versionMarker === '' ? [] : versionsBehind(bucket, keyMarker, versionMarker);
	for (const {key, isPrefix} of keys) {
		if (entries.length > countMax) {
			break;
		}

		entries.push(...(isPrefix ? [{key}] : versionsBehind(bucket, key, undefined)));
	}

	return entries;
};

const toContent = ({key, version, isLatest}: Entry, encode: EncodeKey): XmlContent => ({
	Key: encode(key),
	VersionId: version?.versionId,
	IsLatest: isLatest,
	LastModified: version === undefined ? undefined : toIsoTime(version.lastModifiedMs),
	...(version?.kind === 'object'
		? {
				ETag: `"${version.etag}"`,
				Size: version.sizeBytes,
				StorageClass: version.storageClass,
				ChecksumAlgorithm: version.checksum?.algorithm,
			}
		: {}),
	Owner: owner,
});

/** The versions of a key, the newest first; with a marker only those that are older than it. */
const versionsBehind = (bucket: StoredBucket, key: string, marker: string | undefined): Entry[] => {
	const versions = [...bucket.versions(key)].reverse();
	const from = marker === undefined ? 0 : versions.findIndex(version => version.versionId === marker) + 1;
	return versions.slice(from).map(version => ({key, version, isLatest: version === versions[0]}));
};
