import test from 'ava';
import {mountsAt, parseMountTable, readMountTable} from '../../../src/node/mounts/mount-table.ts';

const text = String.raw`22 27 0:21 / /proc rw,relatime - proc proc rw
97 27 0:51 / /var/lib/pnx-volume/volumes/00/mount rw,nosuid,nodev,relatime shared:5 - fuse.pnx-volume bucket-1 rw,user_id=0
98 27 0:51 / /pods/a\040b\011c\134d/v\303\274 ro,relatime shared:5 master:1 - fuse.pnx-volume a\040name rw
99 27 0:52 / /pods/ü/v rw - tmpfs tmpfs rw
`;

test('parseMountTable() reads device, path, options, type and source, with and without optional fields', t => {
	const mounts = parseMountTable(text);
	t.is(mounts.length, 4);
	t.deepEqual(mounts[1], {
		id: '97',
		parentId: '27',
		device: '0:51',
		root: '/',
		path: '/var/lib/pnx-volume/volumes/00/mount',
		options: ['rw', 'nosuid', 'nodev', 'relatime'],
		peerGroup: '5',
		masterGroup: undefined,
		type: 'fuse.pnx-volume',
		source: 'bucket-1',
		superOptions: ['rw', 'user_id=0'],
	});
});

test('parseMountTable() reads which mounts get what is mounted on others', t => {
	const [proc, , slave] = parseMountTable(text);
	t.is(proc!.peerGroup, undefined);
	t.is(slave!.peerGroup, '5');
	t.is(slave!.masterGroup, '1');
});

test('parseMountTable() undoes the octal escapes of the kernel', t => {
	const [, , escaped, plain] = parseMountTable(text);
	t.is(escaped!.path, '/pods/a b\tc\\d/vü');
	t.is(escaped!.source, 'a name');
	t.is(plain!.path, '/pods/ü/v');
});

test('mountsAt() finds the mounts of one path, the upper one last', t => {
	const mounts = parseMountTable(
		'1 0 0:1 / /a rw - tmpfs one rw\n2 0 0:2 / /a rw - tmpfs two rw\n3 0 0:3 / /a/b rw - tmpfs three rw\n',
	);
	t.deepEqual(
		mountsAt(mounts, '/a').map(({source}) => source),
		['one', 'two'],
	);
});

test("readMountTable() reads this machine's", t => {
	t.true(readMountTable().some(({path, type}) => path === '/proc' && type === 'proc'));
});
