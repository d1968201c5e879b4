import {FsError} from '../model/fs-error.ts';
import {metadataBytes, metadataBytesMax} from '../model/object-attributes.ts';
import {isStoreError} from '../model/store-error.ts';
import {copyObject} from '../staging/server-side-copy.ts';
import {type FileAttributes, directoryContentType, readAttributes, writeAttributes} from './attributes.ts';
import {persist} from './file-operations.ts';
import type {Target} from './filesystem.ts';
import type {Node} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {type Volume, assertWritable} from './volume.ts';

type AttributeChange = (attributes: FileAttributes) => FileAttributes;

/**
Changes attributes where they are kept: with the changes of a file that is being written, in the object, or in the
marker of a directory.
*/
export const changeAttributes = async (
	volume: Volume,
	target: Target,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	assertWritable(volume);
	const file = 'handle' in target ? volume.files.handle(target.handle).file : volume.files.changed(target.path);
	if (file?.isUnlinked === true) {
		file.setAttributes(apply(file.attributes));
		return;
	}

	const path = file?.path ?? ('path' in target ? target.path : '');
	const isRenamed = await volume.locks.run([{path}], async () => {
		if ('handle' in target && (file?.path !== path || file.isUnlinked)) {
			return true;
		}

		const open = volume.files.get(path);
		if (open === undefined) {
			await changeInStore(volume, path, apply, what);
		} else if (!(await changeUnlessWritten(volume, open, apply, what))) {
			await changeWithContent(volume, open, apply, what);
		}

		return false;
	});
	if (isRenamed) {
		await changeAttributes(volume, target, apply, what);
	}
};

/** As long as the object is all there is of an open file, it is changed; nobody may write meanwhile. */
const changeUnlessWritten = async (
	volume: Volume,
	file: OpenFile,
	apply: AttributeChange,
	what: string,
): Promise<boolean> =>
	file.exclusively(async () => {
		if (!file.hasChanges) {
			await changeInStore(volume, file.path, apply, what);
			return true;
		}

		return false;
	});

/** The attributes go with the bytes: at once, unless somebody who writes the file is to close it yet. */
const changeWithContent = async (
	volume: Volume,
	file: OpenFile,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	await file.exclusively(async () => {
		const attributes = checked(volume, file.attributes, apply, what, file.base?.metadata ?? {});
		await file.writableLayer();
		file.setAttributes(attributes);
	});
	const willBeClosed = [...file.handles].some(handle => handle.flags.write);
	if (!willBeClosed) {
		await persist(volume, file);
	}
};

const changeInStore = async (volume: Volume, path: string, apply: AttributeChange, what: string): Promise<void> => {
	for (let attempt = 1; ; attempt++) {
		const node = await volume.namespace.require(path);
		if (node.kind === 'directory') {
			await changeDirectory(volume, node, apply, what);
			return;
		}

		const {head} = node;
		const attributes = checked(volume, node.attributes, apply, what, head.metadata);
		if (isSame(attributes, node.attributes)) {
			return;
		}

		const metadata = writeAttributes(attributes, head.metadata, volume.defaults);
		try {
			const result = await copyObject(volume.store, head, path, {replace: {metadata, contentType: head.contentType}});
			const copied = {...head, ...result, metadata, lastModifiedMs: Date.now()};
			const file = volume.files.get(path);
			if (file?.base?.etag === head.etag) {
				file.replaceBase(copied, readAttributes(copied, metadata, volume.defaults));
			}

			volume.changes.replaced(path, {state: 'object', head: copied}, head);
			return;
		} catch (error) {
			volume.changes.mayHaveChanged(path);
			// Somebody else changed the object: their bytes, our attributes.
			if (!isStoreError(error, 'preconditionFailed', 'notFound') || attempt >= 4) {
				throw error;
			}
		}
	}
};

const changeDirectory = async (
	volume: Volume,
	node: Extract<Node, {kind: 'directory'}>,
	apply: AttributeChange,
	what: string,
): Promise<void> => {
	const attributes = checked(volume, node.attributes, apply, what, node.marker?.metadata ?? {});
	if (isSame(attributes, node.attributes)) {
		return;
	}

	if (node.path === '') {
		volume.namespace.setRootAttributes(attributes);
		return;
	}

	const key = `${node.path}/`;
	const metadata = writeAttributes(attributes, node.marker?.metadata ?? {}, volume.defaults);
	// Other S3 clients may have put bytes under the key of a directory: nobody can read them here, and nobody may lose
	// them.
	const {sizeBytes = 0, contentType = directoryContentType} = node.marker ?? {};
	const result =
		node.marker === undefined || sizeBytes === 0
			? await volume.store.put(key, new Uint8Array(), {metadata, contentType})
			: await copyObject(volume.store, node.marker, key, {replace: {metadata, contentType}});
	const marker = {key, sizeBytes, lastModifiedMs: Date.now(), metadata, contentType, ...result};
	volume.changes.replaced(node.path, {state: 'directory', marker});
};

/** The changed attributes, when they can be kept. */
const checked = (
	volume: Volume,
	before: FileAttributes,
	apply: AttributeChange,
	what: string,
	metadata: Readonly<Record<string, string>>,
): FileAttributes => {
	const after = apply(before);
	if (volume.options.attributes === 'uniform' && !isSame(before, after)) {
		throw new FsError('EPERM', `In a volume with uniform attributes ${what} of a single file cannot be changed`);
	}

	if (metadataBytes(writeAttributes(after, metadata, volume.defaults)) > metadataBytesMax) {
		throw new FsError('ENOSPC', `S3 keeps ${metadataBytesMax} bytes of attributes for a file, and these are more`);
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
