/**
Flags of single operations, as linux/fs.h, linux/falloc.h and linux/xattr.h number them (the same on all
architectures that we run on).
*/
import {FsError} from '../model/fs-error.ts';

/** renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT. */
export const parseRenameFlags = (flags: number): {noReplace: boolean; exchange: boolean; whiteout: boolean} => {
	assertKnown('rename', flags, 0b111);
	return {noReplace: (flags & 1) !== 0, exchange: (flags & 2) !== 0, whiteout: (flags & 4) !== 0};
};

/** fallocate(2): KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE; COLLAPSE_RANGE, INSERT_RANGE and UNSHARE_RANGE are the others. */
export const parseFallocateMode = (
	mode: number,
): {keepSize: boolean; punchHole: boolean; zeroRange: boolean; otherFlags: boolean} => ({
	keepSize: (mode & 0x01) !== 0,
	punchHole: (mode & 0x02) !== 0,
	zeroRange: (mode & 0x10) !== 0,
	otherFlags: (mode & ~0x13) !== 0,
});

/** setxattr(2): XATTR_CREATE, XATTR_REPLACE. */
export const parseXattrFlags = (flags: number): 'create' | 'replace' | 'either' => {
	assertKnown('setxattr', flags, 0b11);
	if (flags === 0b11) {
		throw new FsError(
			'EINVAL',
			'Cannot set an extended attribute as XATTR_CREATE and XATTR_REPLACE exclude each other',
		);
	}

	return flags === 1 ? 'create' : flags === 2 ? 'replace' : 'either';
};

const assertKnown = (operation: string, flags: number, known: number): void => {
	if ((flags & ~known) !== 0) {
		throw new FsError('EINVAL', `Cannot ${operation} with flags 0x${flags.toString(16)}: some of them are unknown`);
	}
};
