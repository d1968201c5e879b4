import test from 'ava';
import {belongsToPod, uncoveredMounts} from '../../../src/node/mounts/mount-namespaces.ts';
import {parseMountTable} from '../../../src/node/mounts/mount-table.ts';

const dead = new Set(['0:51']);

test('uncoveredMounts() finds dead mounts that nothing lies on', t => {
	const mounts = parseMountTable(`1 0 8:1 / / rw - ext4 disk rw
10 1 0:51 / /data rw master:5 - fuse.pnx pnx-volume:a rw
11 10 0:52 / /data rw master:6 - fuse.pnx pnx-volume:a rw
12 1 0:51 / /other rw - fuse.pnx pnx-volume:a rw
13 12 0:53 / /other/dir rw - tmpfs tmpfs rw
14 1 0:54 / /live rw - tmpfs tmpfs rw
`);
	t.deepEqual(
		uncoveredMounts(mounts, dead).map(({path}) => path),
		['/other'],
	);
});

test('belongsToPod() knows a container by its control group, under either driver, and by what the kubelet mounts into it', t => {
	const uid = '6ddc6c3c-ddc6-4a18-8cd8-51a9dfe8d395';
	for (const traces of [
		`0::/kubepods/burstable/pod${uid}/0123`,
		'0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6ddc6c3c_ddc6_4a18_8cd8_51a9dfe8d395.slice/cri-containerd-0123.scope',
		`/\n/var/lib/kubelet/pods/${uid}/etc-hosts\n0::/`,
	]) {
		t.true(belongsToPod({mounts: [], traces}, uid), traces);
	}

	t.false(
		belongsToPod({mounts: [], traces: '/var/lib/kubelet/pods/6e901e33-a320-4e6a-841c-1b10d6c80660/etc-hosts'}, uid),
	);
});
