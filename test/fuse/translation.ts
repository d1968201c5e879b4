import {constants} from 'node:os';
import test from 'ava';
import {errnoNameOf, toFuseResult} from '../../src/fuse/errno.ts';
import {toNewPath, toPath, toUtf8} from '../../src/fuse/fuse-path.ts';
import {kindOfMknod, toFuseStat, toTimeChange} from '../../src/fuse/fuse-stat.ts';
import {parseMountInfo} from '../../src/fuse/mount-info.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {parseFallocateMode, parseRenameFlags, parseXattrFlags} from '../../src/fuse/operation-flags.ts';
import {pathInFileSystem} from '../../src/fuse/other-descriptors.ts';
import {ReadBuffers} from '../../src/fuse/read-buffers.ts';
import {FsError} from '../../src/model/fs-error.ts';
import type {EntryStat} from '../../src/filesystem/filesystem.ts';

test('errno numbers are the negative ones of this machine', t => {
	t.is(toFuseResult('ENOENT'), -constants.errno.ENOENT);
	t.is(toFuseResult('EOPNOTSUPP'), -95);
	t.is(errnoNameOf(new FsError('EXDEV', 'why')), 'EXDEV');
	t.is(errnoNameOf(new Error('bug')), undefined);
});

test('toPath() takes the slash off; names that were not UTF-8 are ENOENT to find and EILSEQ to make', t => {
	t.is(toPath('/'), '');
	t.is(toPath('/a/b c'), 'a/b c');
	t.is(toNewPath('/ü/🦀'), 'ü/🦀');
	t.like(
		t.throws(() => toPath('/a\uFFFD')),
		{errno: 'ENOENT'},
	);
	t.like(
		t.throws(() => toNewPath('/a\uFFFD')),
		{errno: 'EILSEQ'},
	);
	t.is(toPath(`/${'é'.repeat(127)}`).length, 127);
	t.like(
		t.throws(() => toPath(`/${'é'.repeat(128)}`)),
		{errno: 'ENAMETOOLONG'},
	);
	t.like(
		t.throws(() => toUtf8('\uFFFD', 'link target')),
		{errno: 'EILSEQ'},
	);
});

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

test('parseMountInfo() reads names with spaces and mounts of a part', t => {
	const table = [
		'25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
		'42 25 0:39 / /mnt/my\\040files rw,nosuid - fuse.pnx pnx-volume:one rw',
		'43 42 0:40 /a\\040part /mnt/my\\040files rw,nosuid shared:2 master:3 - fuse.pnx pnx-volume:two rw',
		'',
	].join('\n');
	const mounts = parseMountInfo(table);
	t.is(mounts.length, 3);
	t.like(mounts[0], {root: '/', mountPoint: '/', fileSystemType: 'ext4', source: '/dev/sda1'});
	t.deepEqual(mounts[2], {
		id: '43',
		major: 0,
		minor: 40,
		root: '/a part',
		mountPoint: '/mnt/my files',
		fileSystemType: 'fuse.pnx',
		source: 'pnx-volume:two',
	});
});

test('pathInFileSystem() tells where a path below a mount lies in its file system', t => {
	t.is(pathInFileSystem({root: '/', mountPoint: '/mnt'}, '/mnt/d/file'), 'd/file');
	t.is(pathInFileSystem({root: '/a/part', mountPoint: '/data'}, '/data/file'), 'a/part/file');
	t.is(pathInFileSystem({root: '/', mountPoint: '/'}, '/file'), 'file');
	t.is(pathInFileSystem({root: '/', mountPoint: '/mnt'}, '/mnt2/file'), undefined);
});

test('read buffers are used again after the answer, and never while they are taken', async t => {
	const buffers = new ReadBuffers({bytesMax: 2 ** 20, countMax: 1});
	const first = buffers.take(2 ** 20);
	const second = buffers.take(100_000);
	t.not(first.buffer, second.buffer);
	t.is(second.length, 100_000);
	buffers.giveBackAfterAnswer(first);
	t.not(buffers.take(2 ** 20).buffer, first.buffer, 'Not before the answer was copied');
	await new Promise(resolve => {
		setImmediate(resolve);
	});
	t.is(buffers.take(2 ** 20).buffer, first.buffer);
	t.not(buffers.take(2 ** 20).buffer, first.buffer);
	t.is(buffers.take(10).length, 10);
});
