import {createHash} from 'node:crypto';
import {formatVolumeOptions, type VolumeOptions} from '../model/volume-options.ts';
import type {Credentials} from './daemon-protocol.ts';

export type VolumeIdentity = {
	readonly options: VolumeOptions;
	readonly credentials?: Credentials | undefined;
	readonly fsGroup?: number | undefined;
	/** For a mount by hand: the directory, which makes it a volume of its own. */
	readonly directory?: string | undefined;
};

/** Whatever makes two mounts differ goes in: mounts with the same id share one daemon on this node. 16 hexadecimal digits. */
export const toVolumeId = ({options, credentials, fsGroup, directory}: VolumeIdentity): string => {
	const credentialsHash = credentials === undefined ? '' : hash([credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken ?? '']);
	return hash([Object.entries(formatVolumeOptions(options)), fsGroup ?? '', directory ?? '', credentialsHash]).slice(0, 16);
};

const hash = (parts: readonly unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
