import type {MetricLabels, MetricSamples, ValueSample} from '../../model/metric-samples.ts';
import type {WatchedVolume} from '../../healing/watch-message.ts';
import type {VolumeHealth} from '../../node/volumes/list-volumes.ts';
import type {AgentMetricName} from '../../observability/metric-table.ts';

const healthStates = Object.keys({
	healthy: 0,
	failing: 0,
	changing: 0,
	hanging: 0,
	dead: 0,
	unmounted: 0,
	gone: 0,
} satisfies Record<VolumeHealth, number>);

/**
What the daemon of a volume counted, and what is seen of the volume from outside; everything with the labels of the
volume.
*/
export const toVolumeSamples = (volume: WatchedVolume, nowMs: number): MetricSamples => {
	const labels = {volume: volume.volumeId, bucket: volume.bucket, prefix: volume.prefix};
	const daemon = volume.metrics ?? {counters: [], gauges: [], histograms: []};
	const seen = (name: AgentMetricName, value: number, own: MetricLabels = {}): ValueSample => ({
		name,
		labels: {...labels, ...own},
		value,
	});
	const withVolume = <Sample extends {readonly labels: MetricLabels}>(samples: readonly Sample[]): Sample[] =>
		samples
			.filter(sample => Object.keys(sample.labels).every(isLabelName))
			.map(sample => ({...sample, labels: {...labels, ...sample.labels, ...labels}}));
	return {
		counters: [...withVolume(daemon.counters), seen('pnx_volume_daemon_restarts_total', volume.restartCount)],
		gauges: [
			...withVolume(daemon.gauges),
			...healthStates.map(state => seen('pnx_volume_health', state === volume.health ? 1 : 0, {state})),
			...toDaemonLabels(volume).map(daemonLabels => seen('pnx_volume_daemon_info', 1, daemonLabels)),
			seen(
				'pnx_volume_daemon_restart_wait_seconds',
				volume.nextAttemptAtMs === undefined ? 0 : Math.max(0, (volume.nextAttemptAtMs - nowMs) / 1000),
			),
			seen('pnx_volume_directories', volume.directories.filter(({isMounted}) => isMounted).length, {mounted: 'true'}),
			seen('pnx_volume_directories', volume.directories.filter(({isMounted}) => !isMounted).length, {mounted: 'false'}),
			...toPodLabels(volume).map(pod => seen('pnx_volume_pod_info', 1, pod)),
			seen('pnx_volume_journal_bytes', volume.journalBytes),
			seen('pnx_volume_refused_bytes', volume.refused?.bytes ?? 0),
		],
		histograms: withVolume(daemon.histograms),
	};
};

/**
A daemon of another version may have labels that we do not know; one that is no name would spoil the page for all
volumes.
*/
const isLabelName = (name: string): boolean => /^[a-z][a-z_]*$/.test(name) && name !== 'le';

/** None when no daemon serves the volume; `foreground` is one that somebody runs in a terminal. */
const toDaemonLabels = ({daemon, daemonPid, launch}: WatchedVolume): MetricLabels[] =>
	daemonPid === undefined
		? []
		: [{version: daemon?.version ?? launch?.version ?? '', launch: launch?.way ?? 'foreground'}];

/** Each pod once; a directory that was mounted by hand has none. */
const toPodLabels = ({directories}: WatchedVolume): MetricLabels[] => {
	const pods = new Map<string, MetricLabels>();
	for (const {namespace, name, volumeName} of directories) {
		if (name !== undefined) {
			const labels = {namespace: namespace ?? '', pod: name, volume_name: volumeName ?? ''};
			pods.set(JSON.stringify(labels), labels);
		}
	}

	return [...pods.values()];
};
