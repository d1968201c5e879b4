/** What an entry of a directory is (inode(7)). */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

const typeBits: Record<EntryKind, number> = {
	fifo: 0o01_0000,
	'character-device': 0o02_0000,
	directory: 0o04_0000,
	'block-device': 0o06_0000,
	file: 0o10_0000,
	symlink: 0o12_0000,
	socket: 0o14_0000,
};

/** All kinds that there are. */
export const entryKinds = Object.keys(typeBits) as EntryKind[];

/** st_mode's type bits for a kind. */
export const typeBitsOf = (kind: EntryKind): number => typeBits[kind];

/** The kind in st_mode's type bits; `undefined` where there are none or unknown ones. */
export const kindOfMode = (mode: number): EntryKind | undefined =>
	entryKinds.find(kind => (mode & 0o17_0000) === typeBits[kind]);
