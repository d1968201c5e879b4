import type {FileSystem} from '../filesystem/filesystem.ts';
import type {FuseMount} from '../fuse/fuse-mount.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {MetricReader} from '../observability/metrics.ts';

/** What a volume and its mount know of themselves anyway. */
export const readVolumeMetrics =
	(fileSystem: FileSystem, mount: FuseMount, transport: VolumeOptions['transport']): MetricReader =>
	add => {
		const status = fileSystem.status();
		add('pnx_volume_open_handles', status.openHandles);
		add('pnx_volume_dirty_bytes', status.dirtyBytes);
		add('pnx_volume_staging_bytes', status.stagingBytes);
		add('pnx_volume_uploads_pending', status.uploadsPending);
		add('pnx_volume_upload_oldest_age_seconds', (status.oldestUploadAgeMs ?? 0) / 1000);
		add('pnx_volume_conflicts_total', status.conflicts);
		add('pnx_volume_cache_bytes', status.memoryCacheBytes ?? 0, {tier: 'memory'});
		add('pnx_volume_cache_bytes', status.cacheBytes, {tier: 'disk'});

		const {runningCount, oldestRunningMs} = mount.status();
		add('pnx_volume_fuse_info', 1, {transport});
		add('pnx_volume_fuse_operations_running', runningCount);
		add('pnx_volume_fuse_operation_oldest_seconds', oldestRunningMs / 1000);
	};
