import {headerOf, xmlAnswer, type Action, type Call} from '../call.ts';
import {checksumElement} from '../checksum.ts';
import {parseCountMax} from '../listing.ts';
import {checksumContent, findObject, versionHeader} from '../object-answer.ts';
import {S3Error} from '../s3-error.ts';
import type {StoredObject} from '../storage/stored-state.ts';
import {writeXml, type XmlContent} from '../xml-writer.ts';

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'];

export const getObjectAttributes: Action = call => {
	const {
		storage,
		target: {bucket: name, key, query},
	} = call;
	const bucket = storage.bucket(name);
	const object = findObject(bucket, key, query.get('versionId'));
	const wanted = (headerOf(call, 'x-amz-object-attributes') ?? '').split(',').map(attribute => attribute.trim());
	if (wanted.some(attribute => !attributeNames.includes(attribute))) {
		throw new S3Error('InvalidArgument', 'Invalid attribute name specified.', {
			fields: {ArgumentName: 'x-amz-object-attributes'},
		});
	}

	const ifWanted = (attribute: string, content: () => XmlContent): XmlContent =>
		wanted.includes(attribute) ? content() : undefined;
	return xmlAnswer(
		writeXml('GetObjectAttributesResponse', {
			ETag: ifWanted('ETag', () => object.etag),
			Checksum: ifWanted('Checksum', () =>
				object.checksum === undefined ? undefined : checksumContent(object.checksum),
			),
			ObjectParts: ifWanted('ObjectParts', () => partsContent(call, object)),
			StorageClass: ifWanted('StorageClass', () => object.storageClass),
			ObjectSize: ifWanted('ObjectSize', () => object.sizeBytes),
		}),
		{...versionHeader(bucket, object.versionId), 'last-modified': new Date(object.lastModifiedMs).toUTCString()},
	);
};

const partsContent = (call: Call, {parts}: StoredObject): XmlContent => {
	if (parts === undefined) {
		return undefined;
	}

	const countMax = parseCountMax(headerOf(call, 'x-amz-max-parts'), 'max-parts');
	const marker = Number(headerOf(call, 'x-amz-part-number-marker') ?? 0);
	const page = parts.slice(marker, marker + countMax);
	return {
		PartsCount: parts.length,
		PartNumberMarker: marker,
		NextPartNumberMarker: marker + page.length,
		MaxParts: countMax,
		IsTruncated: marker + page.length < parts.length,
		// S3 lists the parts only of objects with checksums.
		Part: page.flatMap(({sizeBytes, checksum}, index) =>
			checksum === undefined
				? []
				: [{PartNumber: marker + index + 1, Size: sizeBytes, [checksumElement(checksum.algorithm)]: checksum.value}],
		),
	};
};
