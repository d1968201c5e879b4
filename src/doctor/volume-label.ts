import type {VolumeReport} from '../node/volumes/list-volumes.ts';

/** How a finding names a volume. */
export const labelOf = ({bucket, prefix, volumeId}: Pick<VolumeReport, 'bucket' | 'prefix' | 'volumeId'>): string =>
	`volume ${volumeId} (${bucket}${prefix === '' ? '' : `/${prefix}`})`;
