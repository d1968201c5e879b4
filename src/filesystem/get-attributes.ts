import {type FileAttributes, presentAttributes} from './attributes.ts';
import type {EntryStat, Target} from './filesystem.ts';
import type {Node} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import type {Volume} from './volume.ts';

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
