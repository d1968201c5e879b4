import type {Mount} from './mount-table.ts';

/** What `mount` shows as the device of a volume, with its id: two volumes may use one directory in turn. */
export const toMountSource = ({
	bucket,
	prefix,
	volumeId,
}: {
	readonly bucket: string;
	readonly prefix: string;
	readonly volumeId: string;
}): string => `${sourcePrefix}${bucket}${prefix === '' ? '' : `/${prefix}`}:${volumeId}`;

/** FUSE mounts of ours. */
export const isOurMount = ({type, source}: Pick<Mount, 'type' | 'source'>): boolean =>
	type.startsWith('fuse') && source.startsWith(sourcePrefix);

/** Whether a mount may be one of a volume; daemons of older versions did not say of which. */
export const isMountOf = ({source}: Pick<Mount, 'source'>, volumeId: string): boolean =>
	source.startsWith(sourcePrefix) && (/:([0-9a-f]{16})$/.exec(source)?.[1] ?? volumeId) === volumeId;

const sourcePrefix = 'pnx-volume:';
