import {type EntryKind, kindOfMode, typeBitsOf} from './entry-kind.ts';

/**
How the attributes of a file travel in the user metadata of its object.

Written: the keys that AWS DataSync, FSx for Lustre, File Cache and S3 Files share ("POSIX metadata support" in
their user guides): `file-permissions` (octal, with the type bits: `0100644`), `file-owner`, `file-group`,
`file-mtime` and `file-atime` (nanoseconds with the suffix `ns`; milliseconds without it), and only what differs
from the volume's defaults. Of our own: `file-rdev` for device nodes. Extended attributes are in `xattr` as s3fs
writes them: a percent-encoded JSON object of name to base64.

Read as well, where those are absent: s3fs (`mode` decimal, `uid`, `gid`, `mtime` and `atime` in seconds with a
fraction; rclone and geesefs write the same `mtime`), and GCS (`goog-reserved-posix-mode` octal, `-uid`, `-gid`,
`goog-reserved-file-mtime` in seconds).
*/
export type ObjectAttributes = {
	/** `undefined`: nothing in the metadata says so. */
	readonly kind?: EntryKind | undefined;
	readonly permissions?: number | undefined;
	readonly uid?: number | undefined;
	readonly gid?: number | undefined;
	readonly mtimeNs?: bigint | undefined;
	readonly atimeNs?: bigint | undefined;
	readonly rdev?: number | undefined;
	/** Name to base64 of the value. */
	readonly xattrs?: Readonly<Record<string, string>> | undefined;
};

type Metadata = Readonly<Record<string, string>>;

/**
The user metadata of S3 may have 2 KB in all: names and values, in bytes (Amazon S3 User Guide, "User-defined object
metadata").
*/
export const metadataBytesMax = 2048;

/** The keys that `formatObjectAttributes` owns: all others are somebody else's and are kept as they are. */
const ownKeys = new Set([
	'file-permissions',
	'file-owner',
	'file-group',
	'file-mtime',
	'file-atime',
	'file-rdev',
	'xattr',
]);

/** Keys of other programs that say the same; dropped when we write ours, so that the two cannot disagree. */
const foreignKeys = new Set([
	'mode',
	'uid',
	'gid',
	'mtime',
	'atime',
	'ctime',
	'goog-reserved-posix-mode',
	'goog-reserved-posix-uid',
	'goog-reserved-posix-gid',
	'goog-reserved-file-mtime',
]);

/** What the metadata says; malformed values count as absent. */
export const parseObjectAttributes = (metadata: Metadata): ObjectAttributes => {
	const mode =
		parseOctal(metadata['file-permissions']) ??
		parseMode(metadata['mode']) ??
		parseOctal(metadata['goog-reserved-posix-mode']);
	return {
		kind: mode === undefined ? undefined : kindOfMode(mode),
		permissions: mode === undefined ? undefined : mode & 0o7777,
		uid: parseId(metadata['file-owner'] ?? metadata['uid'] ?? metadata['goog-reserved-posix-uid']),
		gid: parseId(metadata['file-group'] ?? metadata['gid'] ?? metadata['goog-reserved-posix-gid']),
		mtimeNs:
			parseAwsTime(metadata['file-mtime']) ?? parseSeconds(metadata['mtime'] ?? metadata['goog-reserved-file-mtime']),
		atimeNs: parseAwsTime(metadata['file-atime']) ?? parseSeconds(metadata['atime']),
		rdev: parseId(metadata['file-rdev']),
		xattrs: parseXattrs(metadata['xattr']),
	};
};

/** The metadata of an object with these attributes; keys of other programs in `previous` are kept. */
export const formatObjectAttributes = (
	attributes: ObjectAttributes,
	previous: Metadata = {},
): Record<string, string> => {
	const metadata: Record<string, string> = {};
	for (const [key, value] of Object.entries(previous)) {
		if (!ownKeys.has(key) && !foreignKeys.has(key)) {
			metadata[key] = value;
		}
	}

	const {kind, permissions, uid, gid, mtimeNs, atimeNs, rdev, xattrs} = attributes;
	if (permissions !== undefined) {
		metadata['file-permissions'] = `0${(typeBitsOf(kind ?? 'file') | permissions).toString(8).padStart(6, '0')}`;
	}

	if (uid !== undefined) {
		metadata['file-owner'] = String(uid);
	}

	if (gid !== undefined) {
		metadata['file-group'] = String(gid);
	}

	if (mtimeNs !== undefined) {
		metadata['file-mtime'] = `${mtimeNs}ns`;
	}

	if (atimeNs !== undefined) {
		metadata['file-atime'] = `${atimeNs}ns`;
	}

	if (rdev !== undefined && rdev !== 0) {
		metadata['file-rdev'] = String(rdev);
	}

	if (xattrs !== undefined && Object.keys(xattrs).length > 0) {
		metadata['xattr'] = encodeURIComponent(JSON.stringify(xattrs));
	}

	return metadata;
};

/** What S3 counts against `metadataBytesMax`. */
export const metadataBytes = (metadata: Metadata): number =>
	Object.entries(metadata).reduce(
		(total, [key, value]) => total + Buffer.byteLength(key) + Buffer.byteLength(value),
		0,
	);

const parseOctal = (text: string | undefined): number | undefined =>
	text !== undefined && /^0?[0-7]{1,7}$/.test(text) ? Number.parseInt(text, 8) : undefined;

/** s3fs writes decimal; its parser takes 0x and 0 prefixes as well. */
const parseMode = (text: string | undefined): number | undefined => {
	if (text === undefined) {
		return undefined;
	}

	if (/^0[0-7]{1,7}$/.test(text)) {
		return Number.parseInt(text, 8);
	}

	return /^(?:0x[\da-f]{1,6}|\d{1,7})$/i.test(text) ? Number(text) : undefined;
};

const parseId = (text: string | undefined): number | undefined => {
	const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
	return id <= 0xff_ff_ff_ff ? id : undefined;
};

const parseAwsTime = (text: string | undefined): bigint | undefined => {
	const match = /^(-?\d{1,20})(ns)?$/.exec(text ?? '');
	return match?.[1] === undefined ? undefined : BigInt(match[1]) * (match[2] === 'ns' ? 1n : 1_000_000n);
};

const parseSeconds = (text: string | undefined): bigint | undefined => {
	const match = /^(-?\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(text ?? '');
	if (match?.[1] === undefined) {
		return undefined;
	}

	const fraction = BigInt((match[2] ?? '').padEnd(9, '0'));
	return BigInt(match[1]) * 1_000_000_000n + (match[1].startsWith('-') ? -fraction : fraction);
};

const parseXattrs = (text: string | undefined): Record<string, string> | undefined => {
	if (text === undefined) {
		return undefined;
	}

	try {
		const parsed: unknown = JSON.parse(decodeURIComponent(text));
		if (typeof parsed !== 'object' || parsed === null) {
			return undefined;
		}

		return Object.fromEntries(
			Object.entries(parsed).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
		);
	} catch {
		// Somebody else's metadata under the same key: not extended attributes.
		return undefined;
	}
};
