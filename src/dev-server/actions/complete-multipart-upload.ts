import {createHash} from 'node:crypto';
import {headerOf, xmlAnswer, type Action} from '../call.ts';
import {checksumAlgorithms, checksumElement, checksumHeader, compositeChecksum, type Checksum} from '../checksum.ts';
import {combineChecksums} from '../checksum-combination.ts';
import {assertWriteConditions, bareEtag} from '../conditions.ts';
import {newVersionId, toWholeSecondsMs} from '../new-version.ts';
import {checksumContent, versionHeader} from '../object-answer.ts';
import {readDocument} from '../request-body.ts';
import {S3Error} from '../s3-error.ts';
import type {OpenUpload} from '../storage/stored-bucket.ts';
import type {StoredPart, StoredUpload} from '../storage/stored-state.ts';
import {childText, childrenOf, malformed, readXml, type XmlElement} from '../xml-reader.ts';
import {writeXml} from '../xml-writer.ts';

const partBytesMin = 5 * 2 ** 20;

/** The object is the list of its parts' segments: no byte is moved. */
export const completeMultipartUpload: Action = async call => {
	const {storage, target, nowMs} = call;
	const uploadId = target.query.get('uploadId') ?? '';
	storage.upload(storage.bucket(target.bucket), target.key, uploadId);
	const document = readXml((await readDocument(call)).text, 'CompleteMultipartUpload');
	// From here on nothing waits: what is checked holds when it is committed.
	const bucket = storage.bucket(target.bucket);
	const open = storage.upload(bucket, target.key, uploadId);
	const parts = chooseParts(open, childrenOf(document, 'Part'));
	const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
	assertSize(headerOf(call, 'x-amz-mp-object-size'), sizeBytes);
	assertWriteConditions(call, bucket.current(target.key));
	const etag = `${createHash('md5')
		.update(Buffer.from(parts.map(part => part.etag).join(''), 'hex'))
		.digest('hex')}-${parts.length}`;
	const checksum = wholeChecksum(open.upload, parts);
	const claimed = checksum === undefined ? undefined : headerOf(call, checksumHeader(checksum.algorithm));
	if (checksum?.type === 'FULL_OBJECT' && claimed !== undefined && claimed !== checksum.value) {
		throw new S3Error('BadDigest', `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
	}

	const {headers, metadata, tags, storageClass, encryption} = open.upload;
	const versionId = newVersionId(bucket);
	storage.commit({
		op: 'version',
		bucket: bucket.name,
		key: target.key,
		uploadId,
		version: {
			kind: 'object',
			versionId,
			lastModifiedMs: toWholeSecondsMs(nowMs),
			etag,
			sizeBytes,
			headers,
			metadata,
			tags,
			storageClass,
			encryption,
			checksum,
			segments: parts.flatMap(part => part.segments),
			parts: parts.map(({sizeBytes, checksum}) => ({sizeBytes, checksum})),
		},
	});
	return xmlAnswer(
		writeXml('CompleteMultipartUploadResult', {
			Location: `/${bucket.name}/${target.key}`,
			Bucket: bucket.name,
			Key: target.key,
			ETag: `"${etag}"`,
			...checksumContent(checksum),
		}),
		{...encryption, ...versionHeader(bucket, versionId)},
	);
};

/** The parts that the document lists, each checked against what was uploaded. */
const chooseParts = ({upload, parts}: OpenUpload, elements: readonly XmlElement[]): StoredPart[] => {
	const listed = elements.map(element => {
		const partNumber = Number(childText(element, 'PartNumber'));
		const etag = childText(element, 'ETag');
		if (!Number.isInteger(partNumber) || partNumber < 1 || etag === undefined) {
			throw malformed();
		}

		return {element, partNumber, etag: bareEtag(etag)};
	});
	if (listed.length === 0) {
		throw malformed();
	}

	if (listed.some(({partNumber}, index) => index > 0 && partNumber <= listed[index - 1]!.partNumber)) {
		throw new S3Error(
			'InvalidPartOrder',
			'The list of parts was not in ascending order. Parts must be ordered by part number.',
		);
	}

	const chosen = listed.map(({element, partNumber, etag}) => {
		const part = parts.get(partNumber);
		if (part?.etag !== etag || !doChecksumsMatch(element, part)) {
			throw new S3Error(
				'InvalidPart',
				"One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
				{fields: {PartNumber: String(partNumber), ETag: etag}},
			);
		}

		assertChecksumListed(upload, element, part);
		return part;
	});
	const small = chosen.slice(0, -1).findIndex(part => part.sizeBytes < partBytesMin);
	if (small !== -1) {
		const {sizeBytes, etag} = chosen[small]!;
		throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
			fields: {
				ProposedSize: String(sizeBytes),
				MinSizeAllowed: String(partBytesMin),
				PartNumber: String(listed[small]!.partNumber),
				ETag: etag,
			},
		});
	}

	return chosen;
};

/** Who asked for a checksum of checksums must name them again; parts that were copied here have none. */
const assertChecksumListed = (
	{checksumAlgorithm: algorithm, checksumType}: StoredUpload,
	element: XmlElement,
	{checksum}: StoredPart,
): void => {
	if (
		algorithm !== undefined &&
		checksumType === 'COMPOSITE' &&
		checksum !== undefined &&
		childText(element, checksumElement(algorithm)) === undefined
	) {
		throw new S3Error(
			'InvalidRequest',
			`The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${childText(element, 'PartNumber')} in the request.`,
		);
	}
};

const doChecksumsMatch = (element: XmlElement, {checksum}: StoredPart): boolean =>
	checksumAlgorithms.every(algorithm => {
		const claimed = childText(element, checksumElement(algorithm));
		return claimed === undefined || checksum?.algorithm !== algorithm || claimed === checksum.value;
	});

const assertSize = (header: string | undefined, sizeBytes: number): void => {
	if (header !== undefined && Number(header) !== sizeBytes) {
		throw new S3Error('InvalidRequest', "The provided 'x-amz-mp-object-size' header does not match what was computed.");
	}
};

/** `undefined` when a part has none: one that was copied. */
const wholeChecksum = (
	{checksumAlgorithm: algorithm, checksumType}: StoredUpload,
	parts: readonly StoredPart[],
): Checksum | undefined => {
	const values = parts.flatMap(({checksum, sizeBytes}) =>
		checksum === undefined ? [] : [{value: checksum.value, sizeBytes}],
	);
	if (algorithm === undefined || values.length < parts.length) {
		return undefined;
	}

	const whole = checksumType === 'FULL_OBJECT' ? combineChecksums(algorithm, values) : undefined;
	return whole === undefined
		? compositeChecksum(
				algorithm,
				values.map(({value}) => value),
			)
		: {algorithm, value: whole, type: 'FULL_OBJECT'};
};
