import {headerOf, type Action, type Call} from '../call.ts';
import {parseRangeHeader, type ByteRange} from '../byte-range.ts';
import {assertReadConditions} from '../conditions.ts';
import {findObject, objectHeaders, requestedChecksumHeaders} from '../object-answer.ts';
import {S3Error} from '../s3-error.ts';
import {sliceSegments} from '../storage/segment.ts';
import type {StoredObject} from '../storage/stored-state.ts';

type Headers = Readonly<Record<string, string | number>>;

export const getObject: Action = call => {
	const {object, status, headers, range} = readObject(call);
	if (object.storageClass === 'GLACIER' || object.storageClass === 'DEEP_ARCHIVE') {
		throw new S3Error('InvalidObjectState', "The operation is not valid for the object's storage class", {
			fields: {StorageClass: object.storageClass},
		});
	}

	const segments = sliceSegments(object.segments, range.start, range.end);
	call.storage.blobs.retain(segments);
	call.held.push(...segments);
	return {status, headers, body: {segments, sizeBytes: range.end - range.start}};
};

export const headObject: Action = call => {
	const {status, headers} = readObject(call);
	return {status, headers};
};

/** What GET and HEAD have in common: the version, the conditions, and the range or part of it. */
const readObject = (call: Call): {object: StoredObject; status: number; headers: Headers; range: ByteRange} => {
	const {
		storage,
		target: {bucket: name, key, query},
	} = call;
	const bucket = storage.bucket(name);
	const object = findObject(bucket, key, query.get('versionId'));
	assertReadConditions(call, object);
	const partNumber = query.get('partNumber');
	const part = partNumber === undefined ? undefined : partRange(object, partNumber);
	const range = part ?? parseRangeHeader(headerOf(call, 'range'), object.sizeBytes);
	const {start, end} = range ?? {start: 0, end: object.sizeBytes};
	const isWhole = end - start === object.sizeBytes;
	const headers = {
		...objectHeaders(bucket, object),
		...(isWhole ? requestedChecksumHeaders(call, object) : {}),
		...(partNumber !== undefined && object.parts !== undefined ? {'x-amz-mp-parts-count': object.parts.length} : {}),
		...(range === undefined || start === end ? {} : {'content-range': `bytes ${start}-${end - 1}/${object.sizeBytes}`}),
		'content-length': end - start,
	};
	return {object, status: range === undefined ? 200 : 206, headers, range: {start, end}};
};

const partRange = ({parts, sizeBytes}: StoredObject, text: string): ByteRange => {
	const partNumber = /^\d{1,5}$/.test(text) ? Number(text) : 0;
	if (partNumber < 1 || partNumber > 10_000) {
		throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', {
			fields: {ArgumentName: 'partNumber', ArgumentValue: text},
		});
	}

	const sizes = parts?.map(part => part.sizeBytes) ?? [sizeBytes];
	const size = sizes[partNumber - 1];
	if (size === undefined) {
		throw new S3Error('InvalidPartNumber', 'The requested partnumber is not satisfiable', {
			fields: {PartNumberRequested: text, ActualPartCount: String(sizes.length)},
		});
	}

	const start = sizes.slice(0, partNumber - 1).reduce((sum, size) => sum + size, 0);
	return {start, end: start + size};
};
