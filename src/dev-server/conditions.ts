import {headerOf, type Call} from './call.ts';
import {S3Error} from './s3-error.ts';
import type {StoredObject} from './storage/stored-state.ts';

/** An etag as the storage has it: clients send it with quotes or without. */
export const bareEtag = (etag: string): string => etag.trim().replace(/^(?:W\/)?"(.*)"$/, '$1');

const failed = (condition: string) =>
	new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
		fields: {Condition: condition},
	});
const notModified = (etag: string) => new S3Error('NotModified', 'Not Modified', {headers: {etag: `"${etag}"`}});

const isListed = (header: string, etag: string): boolean =>
	header.trim() === '*' || header.split(',').some(candidate => bareEtag(candidate) === etag);

/** Throws 412 or 304 when a reader's conditions do not hold. */
export const assertReadConditions = (call: Call, {etag, lastModifiedMs}: StoredObject): void => {
	const ifMatch = headerOf(call, 'if-match');
	const ifNoneMatch = headerOf(call, 'if-none-match');
	if (ifMatch === undefined) {
		if (lastModifiedMs > dateOf(call, 'if-unmodified-since', Number.POSITIVE_INFINITY)) {
			throw failed('If-Unmodified-Since');
		}
	} else if (!isListed(ifMatch, etag)) {
		throw failed('If-Match');
	}

	if (ifNoneMatch === undefined) {
		if (lastModifiedMs <= dateOf(call, 'if-modified-since', Number.NEGATIVE_INFINITY)) {
			throw notModified(etag);
		}
	} else if (isListed(ifNoneMatch, etag)) {
		throw notModified(etag);
	}
};

/** Throws 412 when a copy's conditions on its source do not hold. */
export const assertCopySourceConditions = (call: Call, {etag, lastModifiedMs}: StoredObject): void => {
	if (call.faults.ignoresConditions) {
		return;
	}

	const ifMatch = headerOf(call, 'x-amz-copy-source-if-match');
	const ifNoneMatch = headerOf(call, 'x-amz-copy-source-if-none-match');
	if (
		ifMatch === undefined
			? lastModifiedMs > dateOf(call, 'x-amz-copy-source-if-unmodified-since', Number.POSITIVE_INFINITY)
			: !isListed(ifMatch, etag)
	) {
		throw failed('x-amz-copy-source-If-Match');
	}

	if (
		ifNoneMatch === undefined
			? lastModifiedMs <= dateOf(call, 'x-amz-copy-source-if-modified-since', Number.NEGATIVE_INFINITY)
			: isListed(ifNoneMatch, etag)
	) {
		throw failed('x-amz-copy-source-If-None-Match');
	}
};

/**
Throws 412 (or 404 for an If-Match on nothing) when a write's conditions do not hold. Must run in one go with the
commit.
*/
export const assertWriteConditions = (call: Call, current: StoredObject | undefined): void => {
	if (call.faults.ignoresConditions) {
		return;
	}

	const ifMatch = headerOf(call, 'if-match');
	const ifNoneMatch = headerOf(call, 'if-none-match');
	if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*') {
		throw new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented', {
			fields: {Header: 'If-None-Match'},
		});
	}

	if (ifMatch !== undefined) {
		assertIfMatch(ifMatch, current, call.target.key);
	}

	if (ifNoneMatch !== undefined && current !== undefined) {
		throw failed('If-None-Match');
	}
};

export const assertIfMatch = (ifMatch: string, current: StoredObject | undefined, key: string): void => {
	if (current === undefined) {
		throw new S3Error('NoSuchKey', 'The specified key does not exist.', {fields: {Key: key}});
	}

	if (!isListed(ifMatch, current.etag)) {
		throw failed('If-Match');
	}
};

const dateOf = (call: Call, header: string, fallback: number): number => {
	const atMs = Date.parse(headerOf(call, header) ?? '');
	return Number.isNaN(atMs) ? fallback : atMs;
};
