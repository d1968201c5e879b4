import {checkBucketName} from '../model/bucket-name.ts';
import {OptionError} from '../model/option-value.ts';
import {parseVolumeOptions, type VolumeOptions} from '../model/volume-options.ts';
import type {VolumeRule} from '../model/volume-rule.ts';
import {CallOutError} from './parse-call-out.ts';
import {findDuplicateKey} from '../policy/find-duplicate-key.ts';
import {toOneLine} from '../model/error-text.ts';
import {parseSecrets, type SecretCredentials} from './parse-secrets.ts';

/** Who the volume is mounted for, as far as the kubelet said. */
export type PodIdentity = {
	readonly name?: string | undefined;
	readonly namespace?: string | undefined;
	readonly uid?: string | undefined;
};

/** The JSON of a `mount` call, understood. */
export type MountOptions = {
	readonly options: VolumeOptions;
	/** Absent: the AWS SDK's default chain. */
	readonly credentials?: SecretCredentials | undefined;
	/** The pod's `securityContext.fsGroup`. */
	readonly fsGroup?: number | undefined;
	readonly pod: PodIdentity;
	/** Inline: the volume's name in the pod; otherwise the name of the PersistentVolume. */
	readonly volumeName?: string | undefined;
	/** What the node policy adds; not from the call. */
	readonly rule?: VolumeRule | undefined;
};

const kubernetesPrefix = 'kubernetes.io/';
const secretPrefix = 'kubernetes.io/secret/';
const gidMax = 4_294_967_294;

/**
Reads the options of a `mount` call. Keys of the kubelet's own that we do not know are left alone (a later kubelet
may send more); every other unknown key is an error. `CallOutError`s and `OptionError`s name the key, never a secret.
*/
export const parseMountOptions = (optionsJson: string): MountOptions => {
	const values = parseStrings(optionsJson);
	const kubelet = new Map<string, string>();
	// Without a prototype, "__proto__" is a key like any other: an unknown one.
	const secrets = Object.create(null) as Record<string, string>;
	const user = Object.create(null) as Record<string, string>;
	for (const [key, value] of Object.entries(values)) {
		if (key.startsWith(secretPrefix)) {
			secrets[key.slice(secretPrefix.length)] = value;
		} else if (key.startsWith(kubernetesPrefix)) {
			kubelet.set(key.slice(kubernetesPrefix.length), value);
		} else {
			user[key] = value;
		}
	}

	assertFsType(kubelet.get('fsType'));
	const options = parseUserOptions(user);
	return {
		options: isReadOnly(kubelet.get('readwrite')) ? {...options, readOnly: true} : options,
		credentials: parseSecrets(secrets),
		fsGroup: parseFsGroup(kubelet.get('mounterArgs.FsGroup') ?? kubelet.get('fsGroup')),
		pod: {name: kubelet.get('pod.name'), namespace: kubelet.get('pod.namespace'), uid: kubelet.get('pod.uid')},
		volumeName: kubelet.get('pvOrVolumeName'),
	};
};

const parseStrings = (json: string): Record<string, string> => {
	let parsed: unknown;
	try {
		parsed = JSON.parse(json);
	} catch {
		// The parser's own message quotes the text around the error, which may be a secret.
		throw new CallOutError(
			'Cannot mount: the options are not valid JSON. The kubelet gives them as the last argument of "mount <directory> <JSON>"',
		);
	}

	if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
		throw new CallOutError('Cannot mount: the options must be a JSON object of strings');
	}

	for (const [key, value] of Object.entries(parsed)) {
		if (typeof value !== 'string') {
			throw new CallOutError(
				`Cannot mount: option "${key.slice(0, 80)}" must be a string; put its value in quotes in the manifest`,
			);
		}
	}

	const duplicate = findDuplicateKey(json);
	if (duplicate !== undefined) {
		throw new CallOutError(`Cannot mount: option "${toOneLine(duplicate).slice(0, 80)}" is given twice`);
	}

	return parsed as Record<string, string>;
};

/** `Name` is how the ancestors of this driver spelled the bucket. */
const parseUserOptions = ({Name: oldName, ...rest}: Record<string, string>): VolumeOptions => {
	if (oldName !== undefined && rest['name'] !== undefined && rest['name'] !== oldName) {
		throw new OptionError('Options "name" and "Name" name two different buckets; keep one of them');
	}

	const options = parseVolumeOptions(oldName === undefined ? rest : {...rest, name: oldName});
	if (options.name === '') {
		throw new OptionError('Option "name" is missing; set flexVolume.options.name to the name of the bucket');
	}

	const wrongName = checkBucketName(options.name);
	if (wrongName !== undefined) {
		throw new OptionError(wrongName);
	}

	return options;
};

const assertFsType = (fsType: string | undefined): void => {
	if (fsType !== undefined && fsType !== '' && fsType !== 'fuse') {
		throw new OptionError(`fsType must be "fuse" or left out: current value is "${fsType.slice(0, 80)}"`);
	}
};

const isReadOnly = (readwrite: string | undefined): boolean => {
	if (readwrite === undefined || readwrite === 'rw' || readwrite === 'ro') {
		return readwrite === 'ro';
	}

	throw new CallOutError(`kubernetes.io/readwrite must be "ro" or "rw": current value is "${readwrite.slice(0, 80)}"`);
};

const parseFsGroup = (value: string | undefined): number | undefined => {
	if (value === undefined || value === '') {
		return undefined;
	}

	const gid = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
	if (gid >= 0 && gid <= gidMax) {
		return gid;
	}

	throw new CallOutError(
		`The pod's fsGroup must be a whole number from 0 to ${gidMax}: current value is "${value.slice(0, 80)}"`,
	);
};
