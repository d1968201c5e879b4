import {randomBytes} from 'node:crypto';
import type {ListedObject, ObjectHead, VersionMarks} from './object-store.ts';
import {fittingWriteIds} from './s3-object-head.ts';

/** An id for a write that nobody else uses. */
export const createWriteId = (): string => randomBytes(9).toString('base64url');

/** The same for a copy of an object onto itself: its bytes are those of the write whose id comes next. */
export const createCopyId = (): string => createWriteId() + copyMark;

export const isCopyId = (id: string): boolean => id.endsWith(copyMark);

const copyMark = '.=';

/** The marks of a version; `undefined` when only a look at S3 can tell it from another one of the same bytes. */
export const marksOf = (object: ListedObject | ObjectHead): VersionMarks | undefined => {
	const {lastModifiedMs} = object;
	if (!('metadata' in object)) {
		return {lastModifiedMs};
	}

	const {versionId, writeIds = [], metadata, isFromAnswer = false} = object;
	const [writeId] = fittingWriteIds(writeIds, metadata);
	return isFromAnswer && versionId === undefined && writeId === undefined
		? undefined
		: {versionId, writeId, lastModifiedMs: isFromAnswer ? undefined : lastModifiedMs};
};

/** Whether an object, as HEAD shows it, is the version that has these marks. */
export const hasMarks = (object: ObjectHead, marks: VersionMarks): boolean => {
	if (marks.versionId !== undefined && object.versionId !== undefined) {
		return marks.versionId === object.versionId;
	}

	return (
		(marks.writeId === undefined || marks.writeId === object.writeIds?.[0]) &&
		(marks.lastModifiedMs === undefined || Math.abs(marks.lastModifiedMs - object.lastModifiedMs) < 1000)
	);
};
