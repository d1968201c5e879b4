import type {AgentSnapshot} from '../../../src/agent/agent-snapshot.ts';
import type {MetricSamples} from '../../../src/model/metric-samples.ts';
import type {WatchedVolume} from '../../../src/healing/watch-message.ts';
import type {VolumeHealth} from '../../../src/node/volumes/list-volumes.ts';

/** What a daemon had counted after so many seconds of a steady load: 3 MiB read and 512 KiB written in each. */
const countersAfter = (seconds: number): MetricSamples => ({
	counters: [
		{name: 'pnx_volume_read_bytes_total', labels: {}, value: seconds * 3 * 2 ** 20},
		{name: 'pnx_volume_written_bytes_total', labels: {}, value: seconds * 2 ** 19},
		{name: 'pnx_volume_fuse_operations_total', labels: {operation: 'read', result: 'ok'}, value: seconds * 24},
		{name: 'pnx_volume_fuse_operations_total', labels: {operation: 'read', result: 'failed'}, value: seconds},
		{name: 'pnx_volume_fuse_operations_total', labels: {operation: 'write', result: 'ok'}, value: seconds * 4},
		{name: 'pnx_volume_cache_hits_total', labels: {tier: 'memory'}, value: 900},
		{name: 'pnx_volume_cache_hits_total', labels: {tier: 'disk'}, value: 86},
		{name: 'pnx_volume_cache_misses_total', labels: {}, value: 14},
	],
	gauges: [
		{name: 'pnx_volume_upload_oldest_age_seconds', labels: {}, value: 42.5},
		{name: 'pnx_volume_daemon_start_time_seconds', labels: {}, value: 1000},
	],
	histograms: [],
});

/** A volume as the watch reports it. */
export const watchedVolume = (
	bucket: string,
	health: VolumeHealth,
	{
		seconds = 10,
		pod = 'web-7d4b9c6f5-x2x4q',
		podCount = 1,
		prefix = '',
	}: {seconds?: number; pod?: string; podCount?: number; prefix?: string} = {},
): WatchedVolume => {
	const volumeId = Buffer.from(`${bucket}/${prefix}`).toString('hex').padEnd(16, '0').slice(-16);
	const isAnswering = health === 'healthy' || health === 'failing';
	const isMounted = !['unmounted', 'gone'].includes(health);
	return {
		volumeId,
		bucket,
		prefix,
		health,
		directories: Array.from({length: podCount}, (_, index) => ({
			path: `/var/lib/kubelet/pods/6ddc6c3c-ddc6-4a18-8cd8-51a9dfe8d3${10 + index}/volumes/pnx~volume/files`,
			uid: `uid-${index}`,
			name: podCount === 1 ? pod : `${pod.slice(0, -1)}${index}`,
			namespace: 'shop',
			isMounted,
		})),
		dirtyBytes: isAnswering ? 3 * 2 ** 20 : undefined,
		journalBytes: health === 'unmounted' ? 51_200 : 0,
		daemonPid: isAnswering || health === 'hanging' ? 4711 : undefined,
		launch: {way: 'systemd', unit: `pnx-volume-${volumeId}.service`, home: '/opt/pnx-volume/0.2.0', version: '0.2.0'},
		daemon: isAnswering
			? {
					volumeId,
					pid: 4711,
					version: '0.2.0',
					startedAtMs: 1_000_000,
					bucket,
					prefix,
					mountPoint: '/m',
					residentBytes: 118_489_088,
					fileSystem: {
						openHandles: 3,
						dirtyBytes: 3 * 2 ** 20,
						uploadsPending: 2,
						uploadsFailed: 0,
						conflicts: 0,
						cacheBytes: 1_503_238_553,
						stagingBytes: 0,
						...(health === 'failing'
							? {
									lastError: {
										atMs: 1_700_000_000_000,
										message:
											'Cannot store reports/a.csv: S3 said 403 AccessDenied; check the permissions of the access key',
									},
								}
							: {}),
					},
				}
			: undefined,
		restartCount: health === 'dead' ? 3 : 0,
		...(isAnswering ? {metrics: countersAfter(seconds)} : {}),
	};
};

/** What an agent knows that reported just now. */
export const agentSnapshot = (volumes: readonly WatchedVolume[], more: Partial<AgentSnapshot> = {}): AgentSnapshot => ({
	version: '0.2.0',
	nodeName: 'node-7.example.internal',
	startedAtMs: Date.now() - 3 * 86_400_000,
	installation: {
		pluginDirectory: '/usr/libexec/kubernetes/kubelet-plugins/volume/exec',
		pluginDirectorySource: 'kubelet',
		runtimeDirectory: '/opt/pnx-volume/0.2.0',
		versions: ['0.1.0', '0.2.0'],
	},
	report: {atMs: Date.now() - 2000, version: '0.2.0', volumes},
	notices: [],
	problems: [],
	...more,
});
