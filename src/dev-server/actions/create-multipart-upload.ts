import {headerOf, xmlAnswer, type Action} from '../call.ts';
import {parseChecksumAlgorithm, type ChecksumAlgorithm, type ChecksumType} from '../checksum.ts';
import {newUploadId, toWholeSecondsMs} from '../new-version.ts';
import {parseObjectAttributes} from '../object-attributes.ts';
import {S3Error} from '../s3-error.ts';
import {writeXml} from '../xml-writer.ts';

export const createMultipartUpload: Action = call => {
	const {storage, target, nowMs} = call;
	const bucket = storage.bucket(target.bucket);
	const attributes = parseObjectAttributes(call, bucket);
	const named = headerOf(call, 'x-amz-checksum-algorithm');
	const checksumAlgorithm = parseChecksumAlgorithm(named);
	if (named !== undefined && checksumAlgorithm === undefined) {
		throw new S3Error(
			'InvalidRequest',
			'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
		);
	}

	const checksumType = chooseType(checksumAlgorithm, headerOf(call, 'x-amz-checksum-type'));
	const id = newUploadId();
	storage.commit({
		op: 'upload',
		bucket: bucket.name,
		upload: {id, key: target.key, initiatedMs: toWholeSecondsMs(nowMs), checksumAlgorithm, checksumType, ...attributes},
	});
	return xmlAnswer(writeXml('InitiateMultipartUploadResult', {Bucket: bucket.name, Key: target.key, UploadId: id}), {
		...attributes.encryption,
		...(checksumAlgorithm === undefined ? {} : {'x-amz-checksum-algorithm': checksumAlgorithm}),
		...(checksumType === undefined ? {} : {'x-amz-checksum-type': checksumType}),
	});
};

/** CRC64NVME is always of the whole object, hashes never are, the other two can be both. */
const chooseType = (
	algorithm: ChecksumAlgorithm | undefined,
	requested: string | undefined,
): ChecksumType | undefined => {
	const isKnown = requested === undefined || requested === 'FULL_OBJECT' || requested === 'COMPOSITE';
	const isPossible =
		!(algorithm === 'CRC64NVME' && requested === 'COMPOSITE') &&
		!(algorithm?.startsWith('SHA') === true && requested === 'FULL_OBJECT');
	if (!isKnown || !isPossible || (algorithm === undefined && requested !== undefined)) {
		throw new S3Error(
			'InvalidRequest',
			`The ${requested} checksum type cannot be used with the ${algorithm?.toLowerCase()} checksum algorithm.`,
		);
	}

	return algorithm === undefined ? undefined : (requested ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE'));
};
