import type {EntryKind} from '../model/entry-kind.ts';
import {type ObjectAttributes, formatObjectAttributes, parseObjectAttributes} from '../model/object-attributes.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {Metadata, ObjectVersion} from '../store/object-store.ts';

/** The attributes of an entry with nothing left open. */
export type FileAttributes = {
	readonly kind: EntryKind;
	readonly permissions: number;
	readonly uid: number;
	readonly gid: number;
	readonly mtimeNs: bigint;
	readonly atimeNs: bigint;
	readonly rdev: number;
	readonly xattrs: Readonly<Record<string, string>>;
};

/** What an entry has where its object says nothing. */
export type AttributeDefaults = Pick<VolumeOptions, 'uid' | 'gid' | 'fileMode' | 'dirMode' | 'attributes'> & {
	/** Everything belongs to this group and is writable for it (the pod's fsGroup), without any object being touched. */
	readonly fsGroup?: number | undefined;
};

export const directoryContentType = 'application/x-directory';

/** The attributes of an object; in a `uniform` volume they are the volume's. */
export const readAttributes = (
	object: Pick<ObjectVersion, 'key' | 'lastModifiedMs'> & Partial<Pick<ObjectVersion, 'sizeBytes'>>,
	metadata: Metadata,
	defaults: AttributeDefaults,
): FileAttributes => {
	const parsed: ObjectAttributes = defaults.attributes === 'uniform' ? {} : parseObjectAttributes(metadata);
	const kind =
		object.key.endsWith('/') || object.key === ''
			? 'directory'
			: parsed.kind === undefined || parsed.kind === 'directory' || isRegular(object)
				? 'file'
				: parsed.kind;
	const mtimeNs = parsed.mtimeNs ?? BigInt(Math.round(object.lastModifiedMs)) * 1_000_000n;
	return {
		kind,
		permissions: parsed.permissions ?? defaultPermissions(kind, defaults),
		uid: parsed.uid ?? defaults.uid,
		gid: parsed.gid ?? defaults.gid,
		mtimeNs,
		atimeNs: parsed.atimeNs ?? mtimeNs,
		rdev: parsed.rdev ?? 0,
		xattrs: parsed.xattrs ?? {},
	};
};

/**
Whether an object is a regular file whatever its metadata says: a symbolic link is an object of its target, and other
kinds are empty objects. So a listing tells what it is.
*/
export const isRegular = ({sizeBytes = 0}: {sizeBytes?: number}): boolean => sizeBytes > linkBytesMax;

/** PATH_MAX of Linux. */
export const linkBytesMax = 4095;

/** The metadata of an object with these attributes: only what differs from the defaults. */
export const writeAttributes = (
	attributes: FileAttributes,
	previous: Metadata,
	defaults: AttributeDefaults,
): Metadata => {
	if (defaults.attributes === 'uniform') {
		return previous;
	}

	const {kind, permissions, uid, gid, mtimeNs, atimeNs, rdev, xattrs} = attributes;
	return formatObjectAttributes(
		{
			kind,
			permissions:
				kind === 'file' || kind === 'directory'
					? permissions === defaultPermissions(kind, defaults)
						? undefined
						: permissions
					: permissions,
			uid: uid === defaults.uid ? undefined : uid,
			gid: gid === defaults.gid ? undefined : gid,
			mtimeNs,
			atimeNs: atimeNs === mtimeNs ? undefined : atimeNs,
			rdev,
			xattrs,
		},
		previous,
	);
};

/**
The attributes as users see them: with the pod's group. The kubelet would make the same with chgrp and chmod of
every file.
*/
export const presentAttributes = (attributes: FileAttributes, defaults: AttributeDefaults): FileAttributes => {
	if (defaults.fsGroup === undefined || attributes.kind === 'symlink') {
		return attributes;
	}

	const groupBits = attributes.kind === 'directory' ? 0o2770 : 0o660;
	return {...attributes, gid: defaults.fsGroup, permissions: attributes.permissions | groupBits};
};

const defaultPermissions = (kind: EntryKind, defaults: AttributeDefaults): number =>
	kind === 'directory' ? defaults.dirMode : kind === 'symlink' ? 0o777 : defaults.fileMode;

/**
The attributes of a new entry: it belongs to who makes it; but to the group of its directory where that has the
set-group-ID bit, which a new directory takes over as well (inode(7)).
*/
export const newAttributes = (
	entry: Pick<FileAttributes, 'kind' | 'permissions' | 'rdev'>,
	owner: Pick<FileAttributes, 'uid' | 'gid'>,
	parent: FileAttributes,
	nowNs: bigint,
): FileAttributes => {
	const handsDownGroup = (parent.permissions & setGroupId) !== 0;
	return {
		...entry,
		uid: owner.uid,
		gid: handsDownGroup ? parent.gid : owner.gid,
		permissions: handsDownGroup && entry.kind === 'directory' ? entry.permissions | setGroupId : entry.permissions,
		mtimeNs: nowNs,
		atimeNs: nowNs,
		xattrs: {},
	};
};

const setGroupId = 0o2000;
