import {createHash} from 'node:crypto';
import type {ObjectHead} from '../store/object-store.ts';
import {isCopyId} from '../store/version-marks.ts';
import type {UploadRequest} from './uploader.ts';

/**
The id of the write of a layer: the same in every try of it, also after a restart, and another than that of any other
layer of any node. `appendedAt`: where the bytes begin that it appends.
*/
export const toWriteId = (request: UploadRequest, appendedAt: number | undefined): string =>
	appendedAt === undefined ? toWriteHash(request) : `${toWriteHash(request)}.${appendedAt.toString(36)}`;

/** Whether the bytes of this layer are in an object, or were in one that it was made from. */
export const findWrite = (
	{writeIds = []}: ObjectHead,
	request: UploadRequest,
): {readonly appendedAt: number | undefined; readonly isNewest: boolean} | undefined => {
	const hash = toWriteHash(request);
	const index = writeIds.findIndex(id => id.split('.', 1)[0] === hash);
	if (index === -1) {
		return undefined;
	}

	return {appendedAt: toAppendedAt(writeIds[index]!), isNewest: index === 0}; // It was found there.
};

/** Whether two versions have the same bytes for sure: one object, or copies with other attributes or another name. */
export const hasSameBytes = (before: ObjectHead | undefined, after: ObjectHead): boolean => {
	const [first, ids] = [before === undefined ? [] : writesOf(before), writesOf(after)];
	return (
		before?.etag === after.etag ||
		(first[0] !== undefined &&
			before?.sizeBytes === after.sizeBytes &&
			first[0] === ids[0] &&
			areSameWrites(first, ids))
	);
};

/** Whether a version is another one and bytes that were appended to it, for sure: writes since then say where. */
export const isAppendedTo = (before: ObjectHead, after: ObjectHead): boolean => {
	const [first, ids] = [writesOf(before), writesOf(after)];
	const count = first[0] === undefined ? 0 : ids.indexOf(first[0]);
	const appendedAt = ids.slice(0, Math.max(0, count)).map(toAppendedAt);
	return (
		appendedAt.length > 0 &&
		!appendedAt.includes(undefined) &&
		appendedAt.at(-1) === before.sizeBytes &&
		areSameWrites(first, ids.slice(count))
	);
};

/** The ids of the writes of its bytes, the newest first: not those of copies that gave it other attributes. */
const writesOf = ({writeIds = []}: ObjectHead): string[] => writeIds.filter(id => !isCopyId(id));

/** A version remembers the last writes only: whether two memories agree as far as both go. */
const areSameWrites = (one: readonly string[], other: readonly string[]): boolean =>
	one.slice(0, other.length).join() === other.slice(0, one.length).join();

const toAppendedAt = (id: string): number | undefined => {
	const [, offset] = id.split('.');
	return offset === undefined ? undefined : Number.parseInt(offset, 36);
};

/** The part of the id that tells of the layer; `writeHash` when other layers were merged into it. */
export const toWriteHash = ({
	key,
	layer,
	metadata,
	sealedAtMs,
	writeHash,
}: Pick<UploadRequest, 'key' | 'layer' | 'metadata' | 'sealedAtMs' | 'writeHash'>): string =>
	writeHash ??
	createHash('sha256')
		.update(JSON.stringify([layer.id, key, sealedAtMs, metadata]))
		.digest('base64url')
		.slice(0, 14);
