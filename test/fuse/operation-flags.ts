import test from 'ava';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {parseFallocateMode, parseRenameFlags, parseXattrFlags} from '../../src/fuse/operation-flags.ts';

test('flags of open, rename, fallocate and setxattr are read bit by bit; unknown ones are refused', t => {
	t.deepEqual(parseOpenFlags(0), {
		read: true,
		write: false,
		append: false,
		truncate: false,
		create: false,
		exclusive: false,
	});
	t.deepEqual(parseOpenFlags(0o3301), {
		read: false,
		write: true,
		append: true,
		truncate: true,
		create: true,
		exclusive: true,
	} satisfies ReturnType<typeof parseOpenFlags>);
	t.deepEqual(parseRenameFlags(1), {noReplace: true, exchange: false, whiteout: false});
	t.like(
		t.throws(() => parseRenameFlags(8)),
		{errno: 'EINVAL'},
	);
	t.deepEqual(parseFallocateMode(3), {keepSize: true, punchHole: true, zeroRange: false, otherFlags: false});
	t.deepEqual(parseFallocateMode(0x10), {keepSize: false, punchHole: false, zeroRange: true, otherFlags: false});
	t.true(parseFallocateMode(8).otherFlags);
	t.is(parseXattrFlags(0), 'either');
	t.is(parseXattrFlags(1), 'create');
	t.is(parseXattrFlags(2), 'replace');
	t.like(
		t.throws(() => parseXattrFlags(3)),
		{errno: 'EINVAL'},
	);
});
