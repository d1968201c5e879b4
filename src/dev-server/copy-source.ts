import {headerOf, type Call} from './call.ts';
import {assertCopySourceConditions} from './conditions.ts';
import {findObject} from './object-answer.ts';
import {S3Error} from './s3-error.ts';
import type {StoredBucket} from './storage/stored-bucket.ts';
import type {StoredObject} from './storage/stored-state.ts';

export type CopySource = {
	readonly bucket: StoredBucket;
	readonly key: string;
	readonly versionId: string | undefined;
	readonly object: StoredObject;
};

const invalid = (value: string) =>
	new S3Error('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey', {
		fields: {ArgumentName: 'x-amz-copy-source', ArgumentValue: value},
	});

/**
The object that `x-amz-copy-source` names (`/bucket/key?versionId=ID`, percent-encoded), when its conditions hold.
*/
export const findCopySource = (call: Call): CopySource => {
	const header = headerOf(call, 'x-amz-copy-source') ?? '';
	const mark = header.indexOf('?versionId=');
	const path = decodeSource(mark === -1 ? header : header.slice(0, mark)).replace(/^\//, '');
	const slash = path.indexOf('/');
	if (slash < 1 || slash === path.length - 1) {
		throw invalid(header);
	}

	const bucket = call.storage.bucket(path.slice(0, slash));
	const key = path.slice(slash + 1);
	const versionId = mark === -1 ? undefined : decodeSource(header.slice(mark + '?versionId='.length));
	const object = findObject(bucket, key, versionId);
	assertCopySourceConditions(call, object);
	if (object.storageClass === 'GLACIER' || object.storageClass === 'DEEP_ARCHIVE') {
		throw new S3Error('InvalidObjectState', "Operation is not valid for the source object's storage class");
	}

	return {bucket, key, versionId, object};
};

const decodeSource = (text: string): string => {
	try {
		// Header bytes come as latin1; clients that do not escape them mean UTF-8.
		return decodeURIComponent(
			text.replaceAll(/[\u0080-\u00FF]/g, character => `%${character.charCodeAt(0).toString(16)}`),
		);
	} catch {
		throw invalid(text); // Not percent-encoded UTF-8.
	}
};
