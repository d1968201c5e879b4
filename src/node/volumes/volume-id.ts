import {createHash} from 'node:crypto';
import {formatVolumeOptions, type VolumeOptions} from '../../model/volume-options.ts';
import type {VolumeRule} from '../../model/volume-rule.ts';
import type {Credentials} from '../launch/daemon-protocol.ts';

export type VolumeIdentity = {
	readonly options: VolumeOptions;
	readonly credentials?: Credentials | undefined;
	readonly fsGroup?: number | undefined;
	/** Every pod that a daemon serves must be under the rule that it was started with. */
	readonly rule?: VolumeRule | undefined;
	/** For a mount by hand: the directory, which makes it a volume of its own. */
	readonly directory?: string | undefined;
};

/**
The id covers everything in which two mounts may differ: mounts with the same id share one daemon on this
node. 16 hexadecimal digits.
*/
export const toVolumeId = ({options, credentials, fsGroup, rule, directory}: VolumeIdentity): string => {
	const credentialsHash =
		credentials === undefined
			? ''
			: hash([credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken ?? '']);
	return hash([
		Object.entries(formatVolumeOptions(options)).filter(
			// Volumes of before this option keep their id, so that an upgrade finds them again.
			([name, value]) => name !== 'transport' || value !== 'native',
		),
		fsGroup ?? '',
		directory ?? '',
		credentialsHash,
		...toBindingParts(rule),
	]).slice(0, 16);
};

/**
A bucket that is a namespace's own is served to that namespace alone: a pod of another one must not join the daemon
around the look at the bucket's tags. The remedies are only words. Nothing for a volume that every namespace may share.
*/
const toBindingParts = ({ownedBy, cluster, isLocalEndpointRefused = false}: VolumeRule = {}): readonly unknown[] =>
	ownedBy === undefined && !isLocalEndpointRefused
		? []
		: [{namespace: ownedBy?.namespace ?? null, cluster: cluster ?? null, isLocalEndpointRefused}];

const hash = (parts: readonly unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
