import test from 'ava';
import {parseMountInfo} from '../../src/fuse/mount-info.ts';

test('parseMountInfo() finds the topmost mount of a directory whose name has spaces', t => {
	const table = [
		'25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
		'42 25 0:39 / /mnt/my\\040files rw,nosuid - fuse.pnx pnx-volume:one rw',
		'43 42 0:40 / /mnt/my\\040files rw,nosuid shared:2 master:3 - fuse.pnx pnx-volume:two rw',
	].join('\n');
	t.deepEqual(parseMountInfo(table, '/mnt/my files'), {
		major: 0,
		minor: 40,
		fileSystemType: 'fuse.pnx',
		source: 'pnx-volume:two',
	});
	t.is(parseMountInfo(table, '/mnt'), undefined);
	t.is(parseMountInfo(table, '/')?.fileSystemType, 'ext4');
});
