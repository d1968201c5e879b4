import type {VolumeReport} from '../list-volumes.ts';

/** How a finding names a volume. */
export const labelOf = ({bucket, prefix, volumeId}: Pick<VolumeReport, 'bucket' | 'prefix' | 'volumeId'>): string =>
	`volume ${volumeId} (${bucket}${prefix === '' ? '' : `/${prefix}`})`;
