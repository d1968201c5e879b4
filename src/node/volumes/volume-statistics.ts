import type {MetricLabels, MetricSamples} from '../../model/metric-samples.ts';
import type {VolumeReport} from './list-volumes.ts';

/** What a daemon had counted at a moment; two of them make a rate. */
export type SampledMetrics = {readonly atMs: number; readonly metrics: MetricSamples};

/** A volume in the numbers that people look at; `undefined` for what is not known. */
export type VolumeStatistics = {
	/**
	What programs get and give each second, between the last two samples. What the kernel's page cache answers is not
	in it.
	*/
	readonly readBytesPerSecond: number | undefined;
	readonly writtenBytesPerSecond: number | undefined;
	readonly readsPerSecond: number | undefined;
	readonly writesPerSecond: number | undefined;
	/** On disk. */
	readonly cacheBytes: number | undefined;
	/** Of the blocks that reads needed since the daemon started, the share that did not come from S3: 0 to 1. */
	readonly cacheHitShare: number | undefined;
	readonly dirtyBytes: number | undefined;
	readonly uploadsPending: number | undefined;
	/** How long the file that has waited for longest waits for its upload. */
	readonly oldestUploadSeconds: number | undefined;
	readonly residentBytes: number | undefined;
};

/** Two samples that are nearer to each other than this make no rate. */
const intervalMsMin = 100;

/** The numbers of a volume; the rates need an earlier sample of the same daemon. */
export const toVolumeStatistics = (
	{daemon, dirtyBytes, metrics}: VolumeReport,
	atMs: number,
	earlier?: SampledMetrics,
): VolumeStatistics => {
	const rateOf = createRates(metrics, atMs, earlier);
	const sum = (name: string): number | undefined => (metrics === undefined ? undefined : sumOf(metrics.counters, name));
	const found = sum('pnx_volume_cache_hits_total');
	const needed = (found ?? 0) + (sum('pnx_volume_cache_misses_total') ?? 0);
	const uploadsPending = daemon?.fileSystem.uploadsPending;
	return {
		readBytesPerSecond: rateOf('pnx_volume_read_bytes_total'),
		writtenBytesPerSecond: rateOf('pnx_volume_written_bytes_total'),
		readsPerSecond: rateOf('pnx_volume_fuse_operations_total', {operation: 'read'}),
		writesPerSecond: rateOf('pnx_volume_fuse_operations_total', {operation: 'write'}),
		cacheBytes: daemon?.fileSystem.cacheBytes,
		cacheHitShare: found === undefined || needed === 0 ? undefined : found / needed,
		dirtyBytes,
		uploadsPending,
		oldestUploadSeconds:
			metrics === undefined || uploadsPending === undefined || uploadsPending === 0
				? undefined
				: sumOf(metrics.gauges, 'pnx_volume_upload_oldest_age_seconds'),
		residentBytes: daemon?.residentBytes,
	};
};

/** What a counter grew by each second; `undefined` without an earlier sample, or when that was of another daemon. */
const createRates = (
	metrics: MetricSamples | undefined,
	atMs: number,
	earlier: SampledMetrics | undefined,
): ((name: string, labels?: MetricLabels) => number | undefined) => {
	if (
		metrics === undefined ||
		earlier === undefined ||
		atMs - earlier.atMs < intervalMsMin ||
		startOf(metrics) !== startOf(earlier.metrics)
	) {
		return () => undefined;
	}

	const seconds = (atMs - earlier.atMs) / 1000;
	return (name, labels) =>
		Math.max(0, sumOf(metrics.counters, name, labels) - sumOf(earlier.metrics.counters, name, labels)) / seconds;
};

const startOf = ({gauges}: MetricSamples): number => sumOf(gauges, 'pnx_volume_daemon_start_time_seconds');

const sumOf = (samples: MetricSamples['counters'], name: string, labels: MetricLabels = {}): number =>
	samples
		.filter(
			sample =>
				sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
		)
		.reduce((total, {value}) => total + value, 0);
