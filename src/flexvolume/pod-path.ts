import {CallOutError} from './parse-call-out.ts';
import type {MountOptions} from './parse-mount-options.ts';
import {isNamespaceName} from '../policy/policy-pattern.ts';

/** What a kubelet's path of a pod's volume says. */
export type PodPath = {
	/** `<kubelet's root>/pods`: from here down everything is the kubelet's. */
	readonly podsDirectory: string;
	readonly podUid: string;
	readonly volumeName: string;
};

/** The driver's name as the kubelet writes it into paths: `pnx/volume` with the slash escaped. */
const driverDirectory = 'pnx~volume';

/**
Uids are 36 characters, of static pods 32, or whatever their author wrote; volumes are DNS labels, or DNS subdomains
where they are PersistentVolumes.
*/
const namePattern = /^[^\0-\u001F\u007F]{1,255}$/;
/** RFC 1123, a DNS subdomain. It goes into the log and into what the volume remembers. */
const podNamePattern = /^[a-z\d][a-z\d.-]{0,252}$/;

/**
Reads `…/pods/<uid>/volumes/pnx~volume/<name>`, from its end: the kubelet's root directory is wherever the node has it.
Every other path is an error: a kubelet asks for no other.
*/
export const parsePodPath = (path: string, call: 'mount' | 'unmount'): PodPath => {
	const [pods, podUid = '', volumes, driver, volumeName = ''] = path.split('/').slice(-5);
	if (
		pods !== 'pods' ||
		volumes !== 'volumes' ||
		driver !== driverDirectory ||
		!namePattern.test(podUid) ||
		!namePattern.test(volumeName)
	) {
		throw new CallOutError(
			`Cannot ${call}: ${JSON.stringify(path.slice(-200))} is not the directory of a pod's volume (…/pods/<uid>/volumes/${driverDirectory}/<name>); to ${call} by hand, run "pnx-volume ${call}"`,
		);
	}

	return {podsDirectory: path.split('/').slice(0, -4).join('/'), podUid, volumeName};
};

/**
The namespace of the pod that a mount is for; an error when the options of the call are not those of the pod that
the path belongs to.
*/
export const checkPodIdentity = (
	{podUid, volumeName}: PodPath,
	{pod, volumeName: toldVolumeName}: Pick<MountOptions, 'pod' | 'volumeName'>,
): {readonly namespace: string} => {
	const {name, namespace, uid} = pod;
	if (namespace === undefined || uid === undefined || toldVolumeName === undefined) {
		throw new CallOutError(
			'Cannot mount: the options do not say which pod and volume it is for (kubernetes.io/pod.namespace, kubernetes.io/pod.uid, kubernetes.io/pvOrVolumeName); only a kubelet may call the driver; to mount by hand, run "pnx-volume mount"',
		);
	}

	if (uid !== podUid || toldVolumeName !== volumeName) {
		throw new CallOutError(
			`Cannot mount: the options are for volume ${JSON.stringify(toldVolumeName.slice(0, 80))} of pod ${JSON.stringify(uid.slice(0, 80))}, but the directory belongs to volume "${volumeName}" of pod "${podUid}"`,
		);
	}

	if (name !== undefined && !podNamePattern.test(name)) {
		throw new CallOutError(
			`Cannot mount: the pod's name is not one that Kubernetes allows: ${JSON.stringify(name.slice(0, 80))}`,
		);
	}

	if (!isNamespaceName(namespace)) {
		throw new CallOutError(
			`Cannot mount: the pod's namespace is not a name that Kubernetes allows: ${JSON.stringify(namespace.slice(0, 80))}`,
		);
	}

	return {namespace};
};
