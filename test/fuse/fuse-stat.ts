import test from 'ava';
import {kindOfMknod, toFuseStat, toTimeChange} from '../../src/fuse/fuse-stat.ts';
import type {EntryStat} from '../../src/filesystem/filesystem.ts';

test('toFuseStat() has type bits, 512-byte blocks and times on both sides of 1970', t => {
	const stat: EntryStat = {
		kind: 'symlink',
		permissions: 0o4755,
		uid: 1,
		gid: 2,
		sizeBytes: 513,
		rdev: 0,
		nlink: 1,
		mtimeNs: 1_500_000_000n,
		atimeNs: -1n,
		ctimeNs: -1_000_000_000n,
	};
	t.like(toFuseStat(stat), {
		mode: 0o124_755,
		blocks: 2,
		mtime: {seconds: 1n, nanoseconds: 500_000_000},
		atime: {seconds: -1n, nanoseconds: 999_999_999},
		ctime: {seconds: -1n, nanoseconds: 0},
	});
});

test('toTimeChange() knows UTIME_NOW and UTIME_OMIT', t => {
	t.is(toTimeChange({seconds: 5, nanoseconds: 0x3f_ff_ff_ff}), 'now');
	t.is(toTimeChange({seconds: 5, nanoseconds: 0x3f_ff_ff_fe}), 'omit');
	t.is(toTimeChange({seconds: -1, nanoseconds: 999_999_999}), -1n);
});

test('kindOfMknod() reads the type bits of mknod(), where none mean a file', t => {
	t.is(kindOfMknod(0o644), 'file');
	t.is(kindOfMknod(0o100_644), 'file');
	t.is(kindOfMknod(0o010_644), 'fifo');
	t.is(kindOfMknod(0o140_777), 'socket');
	t.like(
		t.throws(() => kindOfMknod(0o170_000)),
		{errno: 'EINVAL'},
	);
});
