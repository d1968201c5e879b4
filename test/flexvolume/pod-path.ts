import test from 'ava';
import {checkPodIdentity, parsePodPath} from '../../src/flexvolume/pod-path.ts';

test("parsePodPath() reads the end of a kubelet's path, wherever its root directory is", t => {
	for (const root of ['/var/lib/kubelet', '/var/data/kubelet', '/mnt/pods/x/volumes/kubelet', '/k']) {
		for (const uid of ['6ddc6c3c-ddc6-4a18-8cd8-51a9dfe8d395', '72c0d44b1b74611be8ebc024bba3c06f']) {
			t.deepEqual(parsePodPath(`${root}/pods/${uid}/volumes/pnx~volume/pvc-1.example`, 'mount'), {
				podsDirectory: `${root}/pods`,
				podUid: uid,
				volumeName: 'pvc-1.example',
			});
		}
	}
});

for (const path of [
	'/etc',
	'/var/lib/kubelet/pods/uid/volumes/pnx~volume',
	'/var/lib/kubelet/pods/uid/volumes/pnx~volume/v/below',
	'/var/lib/kubelet/pods/uid/volumes/other~volume/v',
	'/var/lib/kubelet/pods/uid/volumes/pnx~volumes/v',
	'/var/lib/kubelet/pods/uid/volumes/pnx/volume/v',
	'/var/lib/kubelet/pods/uid/volume-subpaths/pnx~volume/v',
	'/var/lib/kubelet/pods/uid/volumes/pnx~volume/v\nw',
	'/var/lib/kubelet/PODS/uid/volumes/pnx~volume/v',
	'/var/lib/kubelet/plugins/kubernetes.io/flexvolume/pnx/volume/mounts/v',
]) {
	test(`parsePodPath() refuses ${JSON.stringify(path)}`, t => {
		t.throws(() => parsePodPath(path, 'unmount'), {
			message: /^Cannot unmount: .* is not the directory of a pod's volume .*pnx-volume unmount/,
		});
	});
}

const path = {podsDirectory: '/k/pods', podUid: 'uid-1', volumeName: 'v'};

test('checkPodIdentity() gives the namespace when the options are of the pod and volume of the path', t => {
	t.deepEqual(checkPodIdentity(path, {pod: {uid: 'uid-1', namespace: 'web', name: 'web-1'}, volumeName: 'v'}), {
		namespace: 'web',
	});
});

test('checkPodIdentity() refuses the options of another pod or volume, and those that do not say whose they are', t => {
	const pod = {uid: 'uid-1', namespace: 'web'};
	t.throws(() => checkPodIdentity(path, {pod: {...pod, uid: 'uid-2'}, volumeName: 'v'}), {
		message: /options are for volume "v" of pod "uid-2", but the directory belongs to volume "v" of pod "uid-1"/,
	});
	t.throws(() => checkPodIdentity(path, {pod: {...pod, uid: 'UID-1'}, volumeName: 'v'}), {message: /options are for/});
	t.throws(() => checkPodIdentity(path, {pod, volumeName: 'w'}), {message: /options are for volume "w"/});
	t.throws(() => checkPodIdentity(path, {pod: {uid: 'uid-1'}, volumeName: 'v'}), {message: /do not say which pod/});
	t.throws(() => checkPodIdentity(path, {pod: {namespace: 'web'}, volumeName: 'v'}), {message: /do not say which pod/});
	t.throws(() => checkPodIdentity(path, {pod, volumeName: undefined}), {message: /do not say which pod/});
	t.throws(() => checkPodIdentity(path, {pod: {...pod, name: 'Web 1'}, volumeName: 'v'}), {
		message: /pod's name is not one that Kubernetes allows/,
	});
	t.throws(() => checkPodIdentity(path, {pod: {...pod, namespace: 'a/b'}, volumeName: 'v'}), {
		message: /not a name that Kubernetes allows/,
	});
});
