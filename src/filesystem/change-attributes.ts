import {FsError} from '../model/fs-error.ts';
import {metadataBytes, metadataBytesMax} from '../model/object-attributes.ts';
import {isStoreError} from '../model/store-error.ts';
import type {WriteCondition} from '../store/object-store.ts';
import {createCopyId, createWriteId} from '../store/version-marks.ts';
import {copyObject} from '../upload/copy-object.ts';
import {type FileAttributes, directoryContentType, readAttributes, writeAttributes} from './attributes.ts';
import {backOff, raceCountMax} from './back-off.ts';
import {persist} from './file-operations.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {Target} from './filesystem.ts';
import {toCondition, uselessRefusalCount} from './move-object.ts';
import type {Entry} from './namespace.ts';
import type {OpenFile} from './open-file.ts';

type AttributeChange = (attributes: FileAttributes) => FileAttributes;

/**
Changes attributes where they are kept: with the changes of a file that is being written, in the object, or in the
marker of a directory.
*/
export const changeAttributes = async (
	parts: FileSystemParts,
	target: Target,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	assertWritable(parts);
	const file = 'handle' in target ? parts.files.handle(target.handle).file : parts.files.changed(target.path);
	if (file?.isUnlinked === true) {
		file.setAttributes(apply(file.attributes));
		return;
	}

	const path = file?.path ?? ('path' in target ? target.path : '');
	const isRenamed = await parts.locks.run([{path}], async () => {
		if ('handle' in target && (file?.path !== path || file.isUnlinked)) {
			return true;
		}

		const open = parts.files.get(path);
		if (open === undefined) {
			await changeInStore(parts, path, apply, what);
		} else if (!(await changeUnlessWritten(parts, open, apply, what))) {
			await changeWithContent(parts, open, apply, what);
		}

		return false;
	});
	if (isRenamed) {
		await changeAttributes(parts, target, apply, what);
	}
};

/** While an open file has no changes of its own, the object itself is changed; nothing may be written meanwhile. */
const changeUnlessWritten = async (
	parts: FileSystemParts,
	file: OpenFile,
	apply: AttributeChange,
	what: string,
): Promise<boolean> =>
	file.exclusively(async () => {
		if (!file.hasChanges) {
			await changeInStore(parts, file.path, apply, what);
			return true;
		}

		return false;
	});

/** The attributes go with the bytes: at once, unless somebody who writes the file is to close it yet. */
const changeWithContent = async (
	parts: FileSystemParts,
	file: OpenFile,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	await file.exclusively(async () => {
		const attributes = checked(parts, file.attributes, apply, what, file.base?.metadata ?? {});
		await file.writableLayer();
		file.setAttributes(attributes);
	});
	const willBeClosed = [...file.handles].some(handle => handle.flags.write);
	if (!willBeClosed) {
		await persist(parts, file);
	}
};

/** Somebody else may change the object at the same time: then it is their bytes, and our attributes. */
const changeInStore = async (
	parts: FileSystemParts,
	path: string,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	let refused: Refusal = {etag: undefined, count: 0};
	for (let attempt = 1; ; attempt++) {
		const entry = await parts.namespace.require(path);
		const object = entry.kind === 'directory' ? entry.marker : entry.head;
		const attributes = checked(parts, entry.attributes, apply, what, object?.metadata ?? {});
		if (isSame(attributes, entry.attributes)) {
			return;
		}

		// A server that refuses a condition again and again although it holds does not know it.
		const condition = refused.count < uselessRefusalCount ? toCondition(object?.etag) : {};
		try {
			await (entry.kind === 'directory'
				? replaceMarker(parts, entry, attributes, condition)
				: replaceAttributes(parts, entry, attributes, condition));
			return;
		} catch (error) {
			parts.changes.mayHaveChanged(path);
			if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= raceCountMax) {
				throw error;
			}

			refused = {etag: object?.etag, count: refused.etag === object?.etag ? refused.count + 1 : 1};
			await backOff(attempt);
		}
	}
};

/** How often a condition on this version was refused. */
type Refusal = {readonly etag: string | undefined; readonly count: number};

const replaceAttributes = async (
	parts: FileSystemParts,
	{path, head}: Extract<Entry, {kind: 'object'}>,
	attributes: FileAttributes,
	condition: WriteCondition,
): Promise<void> => {
	const metadata = writeAttributes(attributes, head.metadata, parts.defaults);
	const {contentType, writeIds = [], blockSums} = head;
	const writeId = createCopyId();
	const result = await copyObject(parts.store, head, path, {
		...condition,
		replace: {metadata, contentType, writeId, keptWriteIds: writeIds, blockSums},
	});
	const own = {metadata, writeIds: [writeId, ...writeIds], lastModifiedMs: Date.now(), isFromAnswer: true};
	const copied = {...head, ...result, ...own};
	const file = parts.files.get(path);
	if (file?.base?.etag === head.etag) {
		file.replaceBase(copied, readAttributes(copied, metadata, parts.defaults));
	}

	parts.changes.replaced(path, {state: 'object', head: copied}, head);
};

const replaceMarker = async (
	parts: FileSystemParts,
	entry: Extract<Entry, {kind: 'directory'}>,
	attributes: FileAttributes,
	condition: WriteCondition,
): Promise<void> => {
	if (entry.path === '') {
		parts.namespace.setRootAttributes(attributes);
		return;
	}

	const key = `${entry.path}/`;
	const metadata = writeAttributes(attributes, entry.marker?.metadata ?? {}, parts.defaults);
	// Other S3 clients may have put bytes under the key of a directory: nobody can read them here, and nobody may lose
	// them.
	const {sizeBytes = 0, contentType = directoryContentType} = entry.marker ?? {};
	const writeId = createWriteId();
	const replace = {metadata, contentType, writeId};
	const result =
		entry.marker === undefined || sizeBytes === 0
			? await parts.store.put(key, new Uint8Array(), {...condition, ...replace})
			: await copyObject(parts.store, entry.marker, key, {...condition, replace});
	const own = {lastModifiedMs: Date.now(), isFromAnswer: true, writeIds: [writeId]};
	const marker = {key, sizeBytes, metadata, contentType, ...own, ...result};
	parts.changes.replaced(entry.path, {state: 'directory', marker});
};

/** The changed attributes, when they can be kept. */
const checked = (
	parts: FileSystemParts,
	before: FileAttributes,
	apply: AttributeChange,
	what: string,
	metadata: Readonly<Record<string, string>>,
): FileAttributes => {
	const after = apply(before);
	if (parts.options.attributes === 'uniform' && !isSame(before, after)) {
		throw new FsError('EPERM', `Cannot change ${what} of a single file: the attributes of this volume are uniform`);
	}

	if (metadataBytes(writeAttributes(after, metadata, parts.defaults)) > metadataBytesMax) {
		throw new FsError(
			'ENOSPC',
			`Cannot keep the attributes of the file: S3 keeps ${metadataBytesMax} bytes at most, and these are more`,
		);
	}

	return after;
};

const isSame = (a: FileAttributes, b: FileAttributes): boolean =>
	a.permissions === b.permissions &&
	a.uid === b.uid &&
	a.gid === b.gid &&
	a.mtimeNs === b.mtimeNs &&
	a.atimeNs === b.atimeNs &&
	JSON.stringify(a.xattrs) === JSON.stringify(b.xattrs);
