import type Fuse from 'fuse-native';
import type {EntryKind, EntryStat, FileSystemStat, TimeChange, TimeNs} from '../filesystem/filesystem.ts';
import {entryKinds, kindOfMode, typeBitsOf} from '../model/entry-kind.ts';
import {FsError} from '../model/fs-error.ts';

export const blockBytes = 512;

/** What programs should read and write at once: as much as one FUSE request carries. */
export const preferredIoBytes = 2 ** 20;

const nanosecondsPerSecond = 1_000_000_000n;

export const toFuseStat = (stat: EntryStat): Fuse.Stats => ({
	mode: typeBitsOf(stat.kind) | stat.permissions,
	uid: stat.uid,
	gid: stat.gid,
	size: stat.sizeBytes,
	nlink: stat.nlink,
	rdev: stat.rdev,
	blksize: preferredIoBytes,
	blocks: Math.ceil(stat.sizeBytes / blockBytes),
	atime: toTimespec(stat.atimeNs),
	mtime: toTimespec(stat.mtimeNs),
	ctime: toTimespec(stat.ctimeNs),
});

/** All that a directory entry tells: what kind it is. */
export const toFuseEntryStat = (kind: EntryKind | 'unknown'): Fuse.Stats =>
	kind === 'unknown' ? {} : entryStats[kind];

const entryStats = Object.fromEntries(entryKinds.map(kind => [kind, {mode: typeBitsOf(kind)}])) as Record<
	EntryKind,
	Fuse.Stats
>;

export const toFuseStatfs = (stat: FileSystemStat): Fuse.Statfs => ({
	bsize: stat.blockBytes,
	frsize: stat.blockBytes,
	blocks: stat.blocksTotal,
	bfree: stat.blocksFree,
	bavail: stat.blocksFree,
	files: stat.filesTotal,
	ffree: stat.filesFree,
	favail: stat.filesFree,
	namemax: stat.nameBytesMax,
});

/** The kind in the mode of mknod(2): no type bits mean a regular file. */
export const kindOfMknod = (mode: number): EntryKind => {
	const kind = (mode & ~0o7777) === 0 ? 'file' : kindOfMode(mode);
	if (kind === undefined) {
		throw new FsError('EINVAL', `Cannot create a file of mode 0${mode.toString(8)}: its type is unknown`);
	}

	return kind;
};

/** Permission bits with set-uid, set-gid and sticky. */
export const permissionsOfMode = (mode: number): number => mode & 0o7777;

export const toTimespec = (timeNs: TimeNs): Fuse.Timespec => {
	// Rounded towards the past, so that the nanoseconds of a time before 1970 are positive too.
	const nanoseconds = ((timeNs % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
	return {seconds: (timeNs - nanoseconds) / nanosecondsPerSecond, nanoseconds: Number(nanoseconds)};
};

/** The special nanoseconds of utimensat(2): UTIME_NOW and UTIME_OMIT (linux/stat.h). */
const utimeNow = 0x3f_ff_ff_ff;
const utimeOmit = 0x3f_ff_ff_fe;

export const toTimeChange = ({seconds, nanoseconds}: Fuse.Timespec): TimeChange => {
	if (nanoseconds === utimeNow) {
		return 'now';
	}

	return nanoseconds === utimeOmit ? 'omit' : BigInt(seconds) * nanosecondsPerSecond + BigInt(nanoseconds);
};
