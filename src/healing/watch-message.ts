import type {MetricSamples} from '../model/metric-samples.ts';
import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import type {PodMount} from '../node/volumes/volume-state.ts';

/**
What `pnx-volume watch` writes to stdout, one JSON object a line. The agent runs it in the node's own namespaces and
serves what it says; no secret is in it.
*/
export type WatchMessage =
	| {readonly type: 'report'; readonly report: WatchReport}
	| {readonly type: 'notice'; readonly notice: Notice};

/** Every volume of the node, as it is now. Comes at every round of the watch. */
export type WatchReport = {
	readonly atMs: number;
	/** Of the program that watches. */
	readonly version: string;
	readonly volumes: readonly WatchedVolume[];
};

export type WatchedVolume = VolumeReport & {
	/** Daemons that were started again for this volume since the watch began. */
	readonly restartCount: number;
	/** Present while a crash loop keeps the watch from starting the daemon again. */
	readonly nextAttemptAtMs?: number | undefined;
	/** Absent when the daemon does not answer. */
	readonly metrics?: MetricSamples | undefined;
};

/**
Something that the users of a volume, or the operator, should know of: becomes an Event on each pod, and a line in
the log.
*/
export type Notice = {
	readonly atMs: number;
	readonly type: 'Normal' | 'Warning';
	/** CamelCase, as the reasons of Kubernetes Events are: `VolumeHealed`, `VolumeDaemonDied`. */
	readonly reason: string;
	/** What happened, and what to do if anything. At most 1,000 characters. */
	readonly message: string;
	readonly volumeId: string;
	readonly bucket: string;
	/** Whom it concerns. */
	readonly pods: readonly PodMount[];
};
