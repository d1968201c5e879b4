import {FsError} from '../model/fs-error.ts';
import {type FileAttributes, presentAttributes, readAttributes} from './attributes.ts';
import type {ObjectHead} from '../store/object-store.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {EntryStat, LookupPurpose, Target} from './filesystem.ts';
import {lookUpFor} from './look-up-for.ts';
import type {Entry} from './namespace.ts';
import {catchUp, hasGrownTo} from './follow-growth.ts';
import {assertCurrent, isOutdated, type OpenFile} from './open-file.ts';

export const getattr = async (
	parts: FileSystemParts,
	target: Target,
	{purpose, isOwnVersion = false}: {purpose?: () => Promise<LookupPurpose | undefined>; isOwnVersion?: boolean} = {},
): Promise<EntryStat> => {
	if ('handle' in target) {
		return statOfHandle(parts, target.handle, {isOwnVersion});
	}

	const {path} = target;
	let file = parts.files.changed(path);
	let entry: Entry | undefined;
	if (file === undefined) {
		entry = await lookUpFor(parts, path, purpose ?? (async () => undefined));
		file = parts.files.changed(path); // Somebody of this node may have written meanwhile.
	}

	if (file !== undefined) {
		return statOfFile(parts, file);
	}

	if (entry === undefined) {
		throw new FsError('ENOENT', `${path} does not exist`);
	}

	return statOfEntry(parts, entry);
};

/** As `getattr`, of what is known without a request to S3. */
export const knownAttributes = (parts: FileSystemParts, path: string): EntryStat | undefined => {
	const file = parts.files.changed(path);
	if (file !== undefined) {
		return statOfFile(parts, file);
	}

	const known = parts.cache.get(path);
	const isUniform = parts.options.attributes === 'uniform';
	if (known?.state === 'object' || (known?.state === 'listed' && isUniform)) {
		const head = known.state === 'object' ? known.head : {...known.object, metadata: {}};
		return statOfEntry(parts, toEntry(parts, path, head));
	}

	return undefined; // Directories have more to them: they are looked up.
};

const toEntry = (parts: FileSystemParts, path: string, head: ObjectHead): Entry => ({
	kind: 'object',
	path,
	head,
	attributes: readAttributes(head, head.metadata, parts.defaults),
});

/** An open file is what its handle reads: its own version, or a longer one for a reader that stands at its end. */
const statOfHandle = async (
	parts: FileSystemParts,
	number: number,
	{isOwnVersion}: {isOwnVersion: boolean},
): Promise<EntryStat> => {
	const handle = parts.files.handle(number);
	const {file} = handle;
	const entry = file.isUnlinked || file.hasChanges ? undefined : await parts.namespace.lookup(file.path);
	if (file.isUnlinked || file.hasChanges) {
		return statOfFile(parts, file);
	}

	// The kernel asks for the size when a reader comes to the end that it knows, which may be that of another version.
	if (isOutdated(handle) && (handle.flags.read || isOwnVersion)) {
		if (handle.hasReachedEnd) {
			await catchUp(parts, handle);
		}

		const version = isOutdated(handle) && isOwnVersion ? file.versionOf(handle) : undefined;
		if (version !== undefined) {
			return statOfEntry(parts, toEntry(parts, file.path, version));
		}

		assertCurrent(handle);
	}

	const isShown =
		entry?.kind === 'object' &&
		(entry.head.etag === file.base?.etag ||
			(handle.hasReachedEnd && (await hasGrownTo(parts, file, entry.head)) && !file.hasChanges));
	return isShown ? statOfEntry(parts, entry) : statOfFile(parts, file);
};

const statOfFile = (parts: FileSystemParts, file: OpenFile): EntryStat =>
	toStat(parts, file.attributes, file.sizeBytes, file.isUnlinked ? 0 : 1);

const statOfEntry = (parts: FileSystemParts, entry: Entry): EntryStat =>
	toStat(
		parts,
		entry.attributes,
		entry.kind === 'directory' ? 0 : entry.head.sizeBytes,
		entry.kind === 'directory' ? 2 : 1,
	);

const toStat = (parts: FileSystemParts, attributes: FileAttributes, sizeBytes: number, nlink: number): EntryStat => {
	const {kind, permissions, uid, gid, mtimeNs, atimeNs, rdev} = presentAttributes(attributes, parts.defaults);
	return {
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
