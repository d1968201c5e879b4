import {xmlAnswer, type Action} from '../call.ts';
import {checksumElement} from '../checksum.ts';
import {parseCountMax, parseKeyEncoding} from '../listing.ts';
import {owner} from '../owner.ts';
import {writeXml} from '../xml-writer.ts';

export const listParts: Action = ({storage, target: {bucket: name, key, query}}) => {
	const {upload, parts} = storage.upload(storage.bucket(name), key, query.get('uploadId'));
	const encode = parseKeyEncoding(query.get('encoding-type'));
	const countMax = parseCountMax(query.get('max-parts'), 'max-parts');
	const marker = Number(query.get('part-number-marker') ?? 0);
	const behind = [...parts].filter(([partNumber]) => partNumber > marker).sort(([a], [b]) => a - b);
	const page = behind.slice(0, countMax);
	return xmlAnswer(
		writeXml('ListPartsResult', {
			Bucket: name,
			Key: encode(key),
			UploadId: upload.id,
			Initiator: owner,
			Owner: owner,
			StorageClass: upload.storageClass,
			PartNumberMarker: marker,
			NextPartNumberMarker: page.at(-1)?.[0] ?? 0,
			MaxParts: countMax,
			IsTruncated: behind.length > page.length,
			ChecksumAlgorithm: upload.checksumAlgorithm,
			ChecksumType: upload.checksumType,
			Part: page.map(([partNumber, {etag, sizeBytes, lastModifiedMs, checksum}]) => ({
				PartNumber: partNumber,
				LastModified: new Date(lastModifiedMs).toISOString(),
				ETag: `"${etag}"`,
				Size: sizeBytes,
				...(checksum === undefined ? {} : {[checksumElement(checksum.algorithm)]: checksum.value}),
			})),
		}),
	);
};
