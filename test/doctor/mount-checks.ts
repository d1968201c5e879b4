import test from 'ava';
import {checkPodMounts, judgeFuseMounts} from '../../src/doctor/mount-checks.ts';
import type {VolumeReport} from '../../src/node/volumes/list-volumes.ts';
import type {Mount} from '../../src/node/mounts/mount-table.ts';
import type {VolumeState} from '../../src/node/volumes/volume-state.ts';

test('judgeFuseMounts() fails for dead and hanging mounts, not for those of somebody else', t => {
	const mount = {path: '/m', source: 'pnx-volume:files'};
	t.is(
		judgeFuseMounts(
			[
				[mount, 'answers'],
				[mount, 'EACCES'],
			],
			2,
		).status,
		'ok',
	);
	t.regex(judgeFuseMounts([[mount, 'ENOTCONN']], 1).found, /dead mount \(ENOTCONN\)/);
	t.regex(judgeFuseMounts([[mount, 'hanging']], 1).found, /hangs/);
});

const podMount = (path: string, device: string): Mount => ({
	id: '2',
	parentId: '1',
	root: '/',
	path,
	device,
	options: [],
	type: 'fuse.pnx',
	source: 'pnx-volume:files',
	superOptions: [],
});

const podState: VolumeState = {
	formatVersion: 1,
	volumeId: '00000000000000aa',
	bucket: 'files',
	prefix: '',
	kind: 'pods',
	mountPoint: '/state/mount',
	pods: [{path: '/pods/a/volumes/pnx~volume/v'}, {path: '/pods/b/volumes/pnx~volume/v'}],
};

const podReport: VolumeReport = {
	volumeId: podState.volumeId,
	bucket: 'files',
	prefix: '',
	directories: [],
	health: 'healthy',
	journalBytes: 0,
};

test('checkPodMounts() tells pods that see nothing or a dead mount, and mounts of pods that no volume knows', t => {
	const own = podMount('/state/mount', '0:50');
	const check = (...table: readonly Mount[]) =>
		checkPodMounts({table: [own, ...table], states: [podState], reports: [podReport]}, {isEveryVolume: true});
	const [a, b] = podState.pods.map(({path}) => podMount(path, '0:50')) as [Mount, Mount];
	t.like(check(a, b), {status: 'ok', found: '2 pods see their volumes'});
	t.like(check(a), {
		status: 'warning',
		found: `${b.path} shows nothing, but the state of bucket files says that the pod uses it`,
	});
	t.like(check(a, {...b, device: '0:49'}), {
		status: 'failed',
		found: `${b.path} shows the dead mount of an earlier daemon of bucket files`,
	});
	const stray = podMount('/pods/c/volumes/pnx~volume/v', '0:50');
	t.like(check(a, b, stray), {
		status: 'warning',
		found: `${stray.path} is a mount in a pod's directory that no volume of this node knows`,
	});
	t.is(
		check(a, b, podMount('/data/kubelet/pods/a/volumes/pnx~volume/v', '0:50')).status,
		'ok',
		"The kubelet's directory may be shown at two places",
	);
	t.is(check(a, b, podMount('/data/kubelet/pods/a/volumes/pnx~volume/v', '0:40')).status, 'warning');
	t.is(check(a, b, podMount('/pods/a/volume-subpaths/v/web/0', '0:50')).status, 'ok', "Subpaths are the kubelet's own");
});
