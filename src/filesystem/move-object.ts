import {readAttributes} from './attributes.ts';
import {isStoreError} from '../model/store-error.ts';
import {partBytesMax} from '../upload/upload-plan.ts';
import {copyObject} from '../upload/copy-object.ts';
import type {ListedObject, ObjectHead} from '../store/object-store.ts';
import type {MovedObject} from './local-changes.ts';
import type {OpenFile} from './open-file.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/** Copies an object as it is now; `undefined` when it is gone. */
export const copyLatest = async (
	parts: FileSystemParts,
	known: ObjectHead | ListedObject,
	to: string,
): Promise<MovedObject | undefined> => {
	let source: ObjectHead | ListedObject = known;
	for (let attempt = 1; ; attempt++) {
		const isWhole = 'metadata' in source;
		if (!isWhole && (source.sizeBytes > partBytesMax || parts.files.get(source.key) !== undefined)) {
			const head: ObjectHead | undefined = await parts.store.head(source.key);
			if (head === undefined) {
				return undefined;
			}

			source = head;
		}

		try {
			const copied = await copyObject(parts.store, {metadata: {}, ...source}, to);
			return {
				head: {metadata: {}, ...source, key: to, lastModifiedMs: Date.now(), versionId: undefined, ...copied},
				sourceEtag: source.etag,
			};
		} catch (error) {
			if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= 4) {
				throw error;
			}

			const head: ObjectHead | undefined = await parts.store.head(source.key);
			if (head === undefined) {
				return undefined;
			}

			source = head;
		}
	}
};

/** An open file follows its object to the new key. */
export const moveOpenFile = (
	parts: FileSystemParts,
	file: OpenFile | undefined,
	{head, sourceEtag}: MovedObject,
): void => {
	if (file !== undefined) {
		const isOther = file.base?.etag !== sourceEtag;
		if (isOther) {
			// It was changed elsewhere since it was opened: its handles keep the version that they opened.
			file.generation++;
		}

		if (!isOther || !file.hasChanges) {
			file.replaceBase(head, file.hasChanges ? file.attributes : readAttributes(head, head.metadata, parts.defaults));
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
