import test from 'ava';
import {toCheck} from '../../src/doctor/check.ts';
import {checkDaemons} from '../../src/doctor/daemon-check.ts';
import {checkFuseDevice, judgeFuseDevice} from '../../src/doctor/fuse-device-check.ts';
import {checkPodMounts, judgeFuseMounts} from '../../src/doctor/mount-checks.ts';
import {judgeDisk} from '../../src/doctor/state-directory-checks.ts';
import type {VolumeReport} from '../../src/node/volumes/list-volumes.ts';
import type {Mount} from '../../src/node/mounts/mount-table.ts';
import type {VolumeState} from '../../src/node/volumes/volume-state.ts';

const gibibyte = 2 ** 30;

test('judgeDisk() warns below 1 GiB or 5 %, and fails when nothing is free', t => {
	t.is(judgeDisk({directory: '/s', freeBytes: 10 * gibibyte, totalBytes: 100 * gibibyte}).status, 'ok');
	t.is(judgeDisk({directory: '/s', freeBytes: gibibyte - 1, totalBytes: 2 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 4 * gibibyte, totalBytes: 100 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 0, totalBytes: gibibyte}).status, 'failed');
});

test('checkFuseDevice() names the module when there is no device, and the container when it is forbidden', t => {
	const absent = checkFuseDevice('/nonexistent/fuse');
	t.is(absent.status, 'failed');
	t.regex(absent.found, /\/nonexistent\/fuse does not open: ENOENT/);
	t.regex(absent.remedy!, /modprobe fuse/);
	const forbidden = judgeFuseDevice(
		'/dev/fuse',
		Object.assign(new Error('EPERM: operation not permitted'), {code: 'EPERM'}),
	);
	t.regex(forbidden.remedy!, /privileged/);
});

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

test('toCheck() is as bad as the worst finding, names the worst first, each remedy once, and no more than five', t => {
	const warnings = ['a', 'b', 'c', 'd', 'e'].map(found => ({status: 'warning', found, remedy: 'look'}) as const);
	t.deepEqual(toCheck('x', [...warnings, {status: 'failed', found: 'f', remedy: 'mend'}], 'good'), {
		name: 'x',
		status: 'failed',
		found: 'f; a; b; c; d; and 1 more',
		remedy: 'mend; look',
	});
	t.deepEqual(toCheck('x', [], 'good'), {name: 'x', status: 'ok', found: 'good'});
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
		found: `${b.path} shows nothing, and bucket files believes that the pod uses it`,
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

test('checkDaemons() warns of a volume whose newest upload failed, with its reason', t => {
	const fileSystem = {
		openHandles: 0,
		dirtyBytes: 0,
		uploadsPending: 0,
		uploadsFailed: 1,
		conflicts: 0,
		cacheBytes: 0,
		stagingBytes: 0,
		lastError: {atMs: 0, message: 'access denied'},
	};
	const daemon = {
		volumeId: podState.volumeId,
		pid: 7,
		version: '1',
		startedAtMs: 0,
		bucket: 'files',
		prefix: '',
		mountPoint: '/m',
		residentBytes: 1,
		fileSystem,
	};
	t.like(checkDaemons([{...podReport, health: 'failing', daemon}]), {
		status: 'warning',
		found: 'volume 00000000000000aa (files): access denied',
	});
	t.like(checkDaemons([podReport]), {status: 'ok', found: '1 daemon answers'});
	t.like(checkDaemons([{...podReport, health: 'gone'}]), {status: 'ok', found: 'no volume is mounted'});
});
