import {compareKeys} from '../../model/object-key.ts';
import {xmlAnswer, type Action} from '../call.ts';
import {parseCountMax, parseKeyEncoding} from '../listing.ts';
import {owner} from '../owner.ts';
import type {StoredUpload} from '../storage/stored-state.ts';
import {writeXml} from '../xml-writer.ts';

type Entry = {readonly key: string; readonly upload?: StoredUpload};

/** Unfinished uploads by key, the oldest first. */
export const listMultipartUploads: Action = ({storage, target: {bucket: name, query}}) => {
	const bucket = storage.bucket(name);
	const encode = parseKeyEncoding(query.get('encoding-type'));
	const prefix = query.get('prefix') ?? '';
	const delimiter = query.get('delimiter') ?? '';
	const countMax = parseCountMax(query.get('max-uploads'), 'max-uploads');
	const keyMarker = query.get('key-marker') ?? '';
	const uploadIdMarker = query.get('upload-id-marker') ?? '';
	const uploads = [...bucket.uploads.values()]
		.map(({upload}) => upload)
		.filter(({key}) => key.startsWith(prefix))
		.sort((a, b) => compareKeys(a.key, b.key) || a.initiatedMs - b.initiatedMs || (a.id < b.id ? -1 : 1));
	const markerIndex = uploads.findIndex(({key, id}) => key === keyMarker && id === uploadIdMarker);
	const behind = uploads.filter(
		({key}, index) =>
			keyMarker === '' ||
			compareKeys(key, keyMarker) > 0 ||
			(key === keyMarker && markerIndex !== -1 && index > markerIndex),
	);
	const entries = groupByPrefix(behind, {prefix, delimiter}).filter(
		({key, upload}) => upload !== undefined || key !== keyMarker,
	);
	const page = entries.slice(0, countMax);
	const isTruncated = countMax > 0 && entries.length > countMax;
	return xmlAnswer(
		writeXml('ListMultipartUploadsResult', {
			Bucket: name,
			KeyMarker: encode(keyMarker),
			UploadIdMarker: uploadIdMarker,
			NextKeyMarker: isTruncated ? encode(page.at(-1)?.key ?? '') : undefined,
			NextUploadIdMarker: isTruncated ? page.at(-1)?.upload?.id : undefined,
			Prefix: encode(prefix),
			Delimiter: delimiter === '' ? undefined : encode(delimiter),
			MaxUploads: countMax,
			EncodingType: query.get('encoding-type'),
			IsTruncated: isTruncated,
			Upload: page.flatMap(({upload}) =>
				upload === undefined
					? []
					: [
							{
								Key: encode(upload.key),
								UploadId: upload.id,
								Initiator: owner,
								Owner: owner,
								StorageClass: upload.storageClass,
								Initiated: new Date(upload.initiatedMs).toISOString(),
								ChecksumAlgorithm: upload.checksumAlgorithm,
								ChecksumType: upload.checksumType,
							},
						],
			),
			CommonPrefixes: page.filter(({upload}) => upload === undefined).map(({key}) => ({Prefix: encode(key)})),
		}),
	);
};

const groupByPrefix = (
	uploads: readonly StoredUpload[],
	{prefix, delimiter}: {prefix: string; delimiter: string},
): Entry[] => {
	const entries: Entry[] = [];
	for (const upload of uploads) {
		const end = delimiter === '' ? -1 : upload.key.indexOf(delimiter, prefix.length);
		const common = end === -1 ? undefined : upload.key.slice(0, end + delimiter.length);
		if (common === undefined) {
			entries.push({key: upload.key, upload});
		} else if (entries.at(-1)?.key !== common) {
			entries.push({key: common});
		}
	}

	return entries;
};
