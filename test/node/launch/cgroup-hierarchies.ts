import test from 'ava';
import {findHierarchies} from '../../../src/node/launch/cgroup-hierarchies.ts';
import {parseMountTable} from '../../../src/node/mounts/mount-table.ts';

test('findHierarchies() finds the unified hierarchy', t => {
	const table = parseMountTable('30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n');
	t.deepEqual(findHierarchies('0::/system.slice/kubelet.service\n', table), [
		{
			mountPoint: '/sys/fs/cgroup',
			path: '/system.slice/kubelet.service',
			version: 2,
			controllers: [],
			isTracking: true,
		},
	]);
});

test('findHierarchies() finds every hierarchy of a hybrid host, also those of several controllers', t => {
	const table = parseMountTable(`30 23 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
31 23 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 23 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`);
	t.deepEqual(findHierarchies('9:name=systemd:/system.slice/kubelet.service\n4:cpu,cpuacct:/\n0::/a:b\n', table), [
		{
			mountPoint: '/sys/fs/cgroup/systemd',
			path: '/system.slice/kubelet.service',
			version: 1,
			controllers: ['name=systemd'],
			isTracking: true,
		},
		{
			mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
			path: '/',
			version: 1,
			controllers: ['cpu', 'cpuacct'],
			isTracking: false,
		},
		{mountPoint: '/sys/fs/cgroup/unified', path: '/a:b', version: 2, controllers: [], isTracking: true},
	]);
});

test('findHierarchies() finds none where no hierarchy is mounted, and none that another mount hides', t => {
	t.deepEqual(findHierarchies('0::/x\n', []), []);
	t.deepEqual(findHierarchies('', parseMountTable('30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')), []);
	t.deepEqual(
		findHierarchies(
			'0::/x\n',
			parseMountTable(
				'30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n31 30 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n',
			),
		),
		[],
	);
});
