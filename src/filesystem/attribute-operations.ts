import {FsError} from '../model/fs-error.ts';
import {metadataBytes, metadataBytesMax} from '../model/object-attributes.ts';
import {isStoreError} from '../model/store-error.ts';
import {copyObject} from '../staging/server-side-copy.ts';
import {
	type FileAttributes,
	directoryContentType,
	presentAttributes,
	readAttributes,
	writeAttributes,
} from './attributes.ts';
import {persist} from './file-operations.ts';
import type {EntryStat, Target, TimeChange} from './filesystem.ts';
import type {Node} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {type Volume, assertWritable, wallClockNs} from './volume.ts';

export const getattr = async (volume: Volume, target: Target): Promise<EntryStat> => {
	if ('handle' in target) {
		return statOfHandle(volume, target.handle);
	}

	const file = volume.files.changed(target.path);
	if (file !== undefined) {
		return statOfFile(volume, file);
	}

	// The kernel asks whether a name exists before it opens it: an open must find what was closed elsewhere just now.
	const doubtsAbsence = volume.options.consistency === 'close-to-open';
	return statOfNode(volume, await volume.namespace.require(target.path, {doubtsAbsence}));
};

/** An open file is what its handle reads: its own version, or a longer one for a reader that stands at its end. */
const statOfHandle = async (volume: Volume, number: number): Promise<EntryStat> => {
	const handle = volume.files.handle(number);
	const {file} = handle;
	if (file.isUnlinked || file.hasChanges) {
		return statOfFile(volume, file);
	}

	const node = await volume.namespace.lookup(file.path);
	const isOther = node?.kind !== 'object' || node.head.etag !== file.base?.etag;
	const mayFollow = handle.hasReachedEnd && node?.kind === 'object' && node.head.sizeBytes > file.sizeBytes;
	return isOther && !mayFollow ? statOfFile(volume, file) : statOfNode(volume, node);
};

const statOfFile = (volume: Volume, file: OpenFile): EntryStat =>
	toStat(volume, file.path, file.attributes, file.sizeBytes, file.isUnlinked ? 0 : 1);

const statOfNode = (volume: Volume, node: Node): EntryStat =>
	toStat(
		volume,
		node.path,
		node.attributes,
		node.kind === 'directory' ? 0 : node.head.sizeBytes,
		node.kind === 'directory' ? 2 : 1,
	);

const toStat = (
	volume: Volume,
	path: string,
	attributes: FileAttributes,
	sizeBytes: number,
	nlink: number,
): EntryStat => {
	const {kind, permissions, uid, gid, mtimeNs, atimeNs, rdev} = presentAttributes(attributes, volume.defaults);
	return {
		ino: volume.inodes.of(path),
		kind,
		permissions,
		uid,
		gid,
		sizeBytes,
		mtimeNs,
		atimeNs,
		ctimeNs: mtimeNs,
		rdev,
		nlink,
	};
};

export const chmod = async (volume: Volume, target: Target, permissions: number): Promise<void> => {
	await change(volume, target, attributes => ({...attributes, permissions}), 'the mode');
};

export const chown = async (
	volume: Volume,
	target: Target,
	owner: {uid?: number | undefined; gid?: number | undefined},
): Promise<void> => {
	await change(
		volume,
		target,
		attributes => ({...attributes, uid: owner.uid ?? attributes.uid, gid: owner.gid ?? attributes.gid}),
		'the owner',
	);
};

export const utimens = async (
	volume: Volume,
	target: Target,
	times: {atime: TimeChange; mtime: TimeChange},
): Promise<void> => {
	const now = wallClockNs();
	const pick = (time: TimeChange, old: bigint) => (time === 'omit' ? old : time === 'now' ? now : time);
	if (volume.options.attributes === 'uniform') {
		// The times of a uniform volume are those of the objects: touch and tar must not fail over it.
		assertWritable(volume);
		return;
	}

	await change(
		volume,
		target,
		attributes => ({
			...attributes,
			atimeNs: pick(times.atime, attributes.atimeNs),
			mtimeNs: pick(times.mtime, attributes.mtimeNs),
		}),
		'the times',
	);
};

export const listxattr = async (volume: Volume, path: string): Promise<string[]> =>
	Object.keys((await attributesOf(volume, path)).xattrs);

export const getxattr = async (volume: Volume, path: string, name: string): Promise<Uint8Array | undefined> => {
	if (!name.startsWith('user.')) {
		return undefined;
	}

	const value = (await attributesOf(volume, path)).xattrs[name];
	return value === undefined ? undefined : Buffer.from(value, 'base64');
};

export const setxattr = async (
	volume: Volume,
	path: string,
	name: string,
	value: Uint8Array,
	mode: 'create' | 'replace' | 'either',
): Promise<void> => {
	assertUserAttribute(volume, name);
	await change(
		volume,
		{path},
		attributes => {
			const exists = name in attributes.xattrs;
			if (mode === 'create' && exists) {
				throw new FsError('EEXIST', `${path} has the attribute ${name}`);
			}

			if (mode === 'replace' && !exists) {
				throw new FsError('ENODATA', `${path} has no attribute ${name}`);
			}

			return {...attributes, xattrs: {...attributes.xattrs, [name]: Buffer.from(value).toString('base64')}};
		},
		'extended attributes',
	);
};

export const removexattr = async (volume: Volume, path: string, name: string): Promise<void> => {
	assertUserAttribute(volume, name);
	await change(
		volume,
		{path},
		attributes => {
			if (!(name in attributes.xattrs)) {
				throw new FsError('ENODATA', `${path} has no attribute ${name}`);
			}

			return {
				...attributes,
				xattrs: Object.fromEntries(Object.entries(attributes.xattrs).filter(([key]) => key !== name)),
			};
		},
		'extended attributes',
	);
};

const assertUserAttribute = (volume: Volume, name: string): void => {
	if (!name.startsWith('user.') || volume.options.attributes === 'uniform') {
		throw new FsError('EOPNOTSUPP', `The extended attribute ${name} cannot be kept`);
	}
};

const attributesOf = async (volume: Volume, path: string): Promise<FileAttributes> =>
	volume.files.changed(path)?.attributes ?? (await volume.namespace.require(path)).attributes;

type AttributeChange = (attributes: FileAttributes) => FileAttributes;

/**
Changes attributes where they are kept: with the changes of a file that is being written, in the object, or in the
marker of a directory.
*/
const change = async (volume: Volume, target: Target, apply: AttributeChange, what: string): Promise<void> => {
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
		await change(volume, target, apply, what);
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
