import {readAttributes} from './attributes.ts';
import {isStoreError} from '../model/store-error.ts';
import {partBytesMax} from '../upload/upload-plan.ts';
import {marksOf} from '../store/version-marks.ts';
import {copyObject} from '../upload/copy-object.ts';
import {FsError} from '../model/fs-error.ts';
import {backOff, raceCountMax} from './back-off.ts';
import type {ListedObject, ObjectHead, PutResult, WriteCondition} from '../store/object-store.ts';
import type {MovedObject} from './local-changes.ts';
import type {OpenFile} from './open-file.ts';
import type {FileSystemParts} from './file-system-parts.ts';

export type Destination = {
	/** The etag of what has the new name: the copy replaces this version only. `undefined`: nothing has it. */
	readonly replaces: string | undefined;
	/** Whether the copy may replace what others put there meanwhile, too; otherwise EEXIST. */
	readonly mayReplaceOthers: boolean;
};

/** Copies an object as it is now; `undefined` when it is gone. */
export const copyLatest = async (
	parts: FileSystemParts,
	known: ObjectHead | ListedObject,
	to: string,
	{replaces, mayReplaceOthers}: Destination,
): Promise<MovedObject | undefined> => {
	let source: ObjectHead | ListedObject = known;
	let replaced = replaces;
	let refusedCount = 0;
	for (let attempt = 1; ; attempt++) {
		const isWhole = 'metadata' in source;
		const isWanted = source.sizeBytes > partBytesMax || parts.files.get(source.key) !== undefined;
		if ((!isWhole && isWanted) || marksOf(source) === undefined) {
			const head: ObjectHead | undefined = await parts.store.head(source.key);
			if (head === undefined) {
				return undefined;
			}

			source = head;
		}

		try {
			// A server that refuses a condition again and again although it holds does not know it.
			const condition = refusedCount < uselessRefusalCount ? toCondition(replaced) : {};
			const copied = await copyObject(parts.store, {metadata: {}, ...source}, to, condition);
			return {
				head: toCopiedHead(source, to, copied),
				sourceEtag: source.etag,
				sourceMarks: marksOf(source),
			};
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= raceCountMax) {
				throw error;
			}

			await backOff(attempt);
			const [head, target]: Array<ObjectHead | undefined> = await Promise.all([
				parts.store.head(source.key),
				parts.store.head(to),
			]);
			if (head === undefined) {
				return undefined;
			}

			if (target?.etag !== replaced && !mayReplaceOthers) {
				throw new FsError('EEXIST', `${to} exists`, {cause: error});
			}

			refusedCount = target?.etag === replaced && head.etag === source.etag ? refusedCount + 1 : 0;
			replaced = target?.etag;
			source = head;
		}
	}
};

const toCopiedHead = (source: ObjectHead | ListedObject, key: string, copied: PutResult): ObjectHead => ({
	metadata: {},
	...source,
	key,
	lastModifiedMs: Date.now(),
	isFromAnswer: true,
	versionId: undefined,
	...copied,
});

/** The condition of a write on what it replaces. */
export const toCondition = (etag: string | undefined): WriteCondition =>
	etag === undefined ? {ifNoneMatch: '*'} : {ifMatch: etag};

/** So many refusals of a condition that holds, and it is left out: we have looked just before. */
export const uselessRefusalCount = 3;

/** An open file follows its object to the new key. */
export const moveOpenFile = (
	parts: FileSystemParts,
	file: OpenFile | undefined,
	{head, sourceEtag}: MovedObject,
): void => {
	if (file !== undefined) {
		const isOther = file.base?.etag !== sourceEtag;
		const attributes = file.hasChanges ? file.attributes : readAttributes(head, head.metadata, parts.defaults);
		if (!isOther) {
			file.replaceBase(head, attributes);
		} else if (!file.hasChanges) {
			// It was changed elsewhere since it was opened.
			file.replaceVersion(head, attributes);
		}

		parts.files.move(file, head.key);
		parts.files.collect(file);
	}
};

/** No upload of a file is on its way. To be called exclusively, so that none is sealed meanwhile. */
export const settle = async (parts: FileSystemParts, file: OpenFile | undefined): Promise<void> => {
	if (file?.oldestSealed !== undefined) {
		await parts.uploads.settle(file);
	}
};
