import test from 'ava';
import {parseMountTable} from '../../src/node/mount-table.ts';
import {trackingCgroups} from '../../src/node/own-cgroup.ts';

test('trackingCgroups() finds the unified hierarchy', t => {
	const table = parseMountTable('30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n');
	t.deepEqual(trackingCgroups('0::/system.slice/kubelet.service\n', table), [{mountPoint: '/sys/fs/cgroup', path: '/system.slice/kubelet.service'}]);
});

test('trackingCgroups() finds both hierarchies of a hybrid host, and leaves the limits of the others alone', t => {
	const table = parseMountTable(`30 23 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 23 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 23 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`);
	t.deepEqual(trackingCgroups('9:name=systemd:/system.slice/kubelet.service\n4:memory:/system.slice/kubelet.service\n0::/a:b\n', table), [
		{mountPoint: '/sys/fs/cgroup/systemd', path: '/system.slice/kubelet.service'},
		{mountPoint: '/sys/fs/cgroup/unified', path: '/a:b'},
	]);
});

test('trackingCgroups() finds none where no hierarchy is mounted', t => {
	t.deepEqual(trackingCgroups('0::/x\n', []), []);
	t.deepEqual(trackingCgroups('', parseMountTable('30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')), []);
});
