/**
Every metric of the project, once: its kind, its own labels, and what it means. The unit is the end of the name:
`_bytes`, `_seconds`; `_total` is a counter, `_info` is always 1 and has its news in the labels, and everything else
is a number of things.

What is under `volume` is of one volume and has the labels of `volumeLabels` before its own; `docs/METRICS.md` says
what to do about each.
*/
export type MetricDefinition = {
	readonly kind: 'counter' | 'gauge' | 'histogram';
	readonly scope: 'volume' | 'agent';
	/** Its own labels, in their order. */
	readonly labels: readonly string[];
	/** One sentence, without a full stop. */
	readonly help: string;
	/** Upper bounds of a histogram's buckets, ascending, in its unit; above the last there is one more. */
	readonly bounds?: readonly number[];
};

/** On every metric of a volume. */
export const volumeLabels = ['volume', 'bucket', 'prefix'] as const;

/**
From answers out of memory to what a dead S3 lets wait; few, as each is a time series for every operation of every
volume.
*/
const operationBounds = [0.0002, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 1, 5, 30] as const;
const requestBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] as const;
const delayBounds = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10] as const;

const of =
	(scope: MetricDefinition['scope'], kind: MetricDefinition['kind']) =>
	(help: string, labels: readonly string[] = [], bounds?: readonly number[]): MetricDefinition => ({
		kind,
		scope,
		labels,
		help,
		...(bounds === undefined ? {} : {bounds}),
	});

const counter = of('volume', 'counter');
const gauge = of('volume', 'gauge');
const histogram = of('volume', 'histogram');
const agentCounter = of('agent', 'counter');
const agentGauge = of('agent', 'gauge');

/** What a daemon counts, and says on its control socket. */
export const daemonMetricTable = {
	pnx_volume_fuse_operations_total: counter(
		'Operations of the kernel that were answered: ok, refused (an ordinary answer such as ENOENT) or failed (such as EIO)',
		['operation', 'result'],
	),
	pnx_volume_fuse_operation_duration_seconds: histogram(
		'Time from an operation of the kernel to its answer',
		['operation'],
		operationBounds,
	),
	pnx_volume_fuse_info: gauge('How the daemon speaks with the kernel, the value of the option transport', [
		'transport',
	]),
	pnx_volume_fuse_operations_running: gauge('Operations of the kernel that wait for their answer now'),
	pnx_volume_fuse_operation_oldest_seconds: gauge('Age of the oldest operation that waits for its answer'),
	pnx_volume_read_bytes_total: counter(
		'Bytes that the kernel read from the volume; reads that its page cache answered do not count',
	),
	pnx_volume_written_bytes_total: counter('Bytes that the kernel wrote'),
	pnx_volume_open_handles: gauge('Files and directories that programs have open'),

	pnx_volume_s3_requests_total: counter(
		'Attempts of requests to S3 by the class of their answer; none when no answer came',
		['operation', 'status'],
	),
	pnx_volume_s3_request_duration_seconds: histogram(
		'Time from an attempt to the end of its answer, or of the head of the answer where the body is an object',
		['operation'],
		requestBounds,
	),
	pnx_volume_s3_retries_total: counter('Attempts of requests to S3 after the first', ['operation']),
	pnx_volume_s3_throttled_total: counter(
		'Answers of S3 with status 429 or 503, or with a code of throttling: it wants fewer requests, or is overloaded',
		['operation'],
	),
	pnx_volume_s3_denied_total: counter('Answers of S3 with status 401 or 403: credentials, permissions or the clock', [
		'operation',
	]),
	pnx_volume_s3_sent_bytes_total: counter('Bytes of the bodies of requests to S3, every attempt'),
	pnx_volume_s3_received_bytes_total: counter('Bytes of the bodies of answers of S3, as announced'),

	pnx_volume_cache_hits_total: counter(
		'Blocks that reads needed and found on disk, or in memory because a read had needed them before',
		['tier'],
	),
	pnx_volume_cache_misses_total: counter(
		'Blocks, or slices of them for random reads, that reads needed and that had to come from S3, be it ahead of the read',
	),
	pnx_volume_cache_fetched_blocks_total: counter(
		'Blocks, or runs of slices, that were fetched from S3, needed or ahead; those in excess of the misses were not used',
	),
	pnx_volume_cache_evictions_total: counter('Blocks that were evicted to make room for others', ['tier']),
	pnx_volume_cache_errors_total: counter(
		'Blocks of the disk cache that were damaged or could not be read or written; they come from S3 instead',
	),
	pnx_volume_cache_bytes: gauge('Bytes that the cache of blocks occupies', ['tier']),
	pnx_volume_read_resumptions_total: counter(
		'Times that the body of an object broke off, and the rest was requested again',
	),
	pnx_volume_read_damages_total: counter(
		'Times that bytes came from S3 without the checksum that they were stored with, or in two copies that differed, and were not used',
	),
	pnx_volume_read_fetched_bytes_total: counter(
		'Bytes that were fetched from S3, by whether there was a checksum to compare them with; `twice`: there was none for so little, but two copies were the same, and count once',
		['checksum'],
	),
	pnx_volume_metadata_lookups_total: counter('Look-ups of names'),
	pnx_volume_metadata_misses_total: counter('Look-ups of names that needed a request to S3'),

	pnx_volume_dirty_bytes: gauge('Bytes that S3 does not have yet'),
	pnx_volume_staging_bytes: gauge('Bytes on the local disk that wait for S3, counted against the option staging-size'),
	pnx_volume_uploads_pending: gauge('Files that wait for their upload or are being uploaded'),
	pnx_volume_upload_oldest_age_seconds: gauge(
		'Age of the file that has waited longest for its upload; 0 when none waits',
	),
	pnx_volume_uploads_total: counter('Uploads: stored, delayed (to be tried again) or refused (S3 will not take it)', [
		'result',
	]),
	pnx_volume_conflicts_total: counter('Uploads that replaced what another node had written since the file was opened'),

	pnx_volume_daemon_resident_bytes: gauge('Resident memory of the daemon'),
	pnx_volume_daemon_heap_bytes: gauge('Memory that the JavaScript heap of the daemon uses'),
	pnx_volume_daemon_external_bytes: gauge(
		'Memory of buffers outside of the JavaScript heap: blocks, parts on their way',
	),
	pnx_volume_daemon_cpu_seconds_total: counter('CPU time of the daemon', ['mode']),
	pnx_volume_daemon_event_loop_delay_seconds: histogram(
		'Delay of a timer of the daemon, measured twice a second',
		[],
		delayBounds,
	),
	pnx_volume_daemon_start_time_seconds: gauge('When the daemon was started, in seconds since the epoch'),
} as const satisfies Record<string, MetricDefinition>;

/** What the agent adds: what it sees of the volumes of its node, and of itself. */
export const agentMetricTable = {
	pnx_volume_health: gauge('1 for the state that the volume is in, 0 for the others', ['state']),
	pnx_volume_daemon_info: gauge('Version of the program that serves the volume, and how it was started', [
		'version',
		'launch',
	]),
	pnx_volume_daemon_restarts_total: counter('Daemons that were started again for the volume since the watch began'),
	pnx_volume_daemon_restart_wait_seconds: gauge(
		'How long the watch still waits before it starts a daemon again that ended too often; 0 when it does not wait',
	),
	pnx_volume_directories: gauge('Directories where the volume should be mounted, by whether it is', ['mounted']),
	pnx_volume_pod_info: gauge('Pods that use the volume, for joins', ['namespace', 'pod', 'volume_name']),
	pnx_volume_journal_bytes: gauge('Bytes of unfinished uploads of a volume that no daemon serves'),
	pnx_volume_refused_bytes: gauge('Bytes that S3 refused for good, kept on the node for a person to look at'),

	pnx_volume_build_info: agentGauge('The version of the agent, and its node', ['version', 'node']),
	pnx_volume_agent_problems: agentGauge('Reasons why the agent is not ready; its status page says them in words'),
	pnx_volume_installed_versions: agentGauge('Versions of the runtime that lie on the node'),
	pnx_volume_watch_report_age_seconds: agentGauge('How old the newest report of the watch on the node is'),
	pnx_volume_notices_total: agentCounter('Notices to the users of a volume', ['type', 'reason']),
} as const satisfies Record<string, MetricDefinition>;

export type DaemonMetricName = keyof typeof daemonMetricTable;
export type AgentMetricName = keyof typeof agentMetricTable;

export const metricTable: Readonly<Record<string, MetricDefinition>> = {...daemonMetricTable, ...agentMetricTable};
