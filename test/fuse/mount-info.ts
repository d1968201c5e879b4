import test from 'ava';
import {parseMountInfo} from '../../src/fuse/mount-info.ts';

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
