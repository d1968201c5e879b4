/**
What passes between the mount daemon (`bin/daemon.ts`) and whoever starts or asks it (`node/`, `cli/`).

Start: `node dist/bin/daemon.js <volumeId>` in a session of its own, stdin /dev/null, stdout and stderr on the log
file or the journal. fd 3 is a pipe from which it reads one `DaemonRequest` as JSON, to the end of the file:
credentials travel there and nowhere else. fd 4 is a pipe on which it writes one line of JSON, a `DaemonReady`, and
closes it. After that it holds no descriptor of its starter.

Then: a Unix socket `<volumeDirectory>/control.sock` (0600) takes one `ControlRequest` as a line of JSON for each
connection and answers with lines of JSON. SIGTERM and SIGINT mean `stop`.
*/

import type {FileSystemStatus, WarmUpProgress} from '../../filesystem/filesystem.ts';
import type {MetricSamples} from '../../model/metric-samples.ts';
import type {VolumeOptions} from '../../model/volume-options.ts';
import type {VolumeRule} from '../../model/volume-rule.ts';

export type {WarmUpProgress} from '../../filesystem/filesystem.ts';

export type Credentials = {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string | undefined;
};

export type DaemonRequest = {
	readonly volumeId: string;
	/** `formatVolumeOptions` of the options; the daemon parses them again. */
	readonly options: Readonly<Record<string, string>>;
	/** Absent: the AWS SDK's default chain. */
	readonly credentials?: Credentials | undefined;
	/**
	More of the environment: what the daemon's starter has of AWS settings and proxies. Here, because a process's
	environment is not for secrets.
	*/
	readonly variables?: Readonly<Record<string, string>> | undefined;
	/** Group that everything belongs to, with group-writable modes (the pod's fsGroup). */
	readonly fsGroup?: number | undefined;
	/** For the tags of a bucket that is created: where the first mount came from. */
	readonly createdFor?: {readonly namespace?: string | undefined; readonly volume?: string | undefined} | undefined;
	/** What the node policy leaves to the daemon, which can ask for the bucket's tags. Absent for mounts by hand. */
	readonly rule?: VolumeRule | undefined;
	/** Where the FUSE file system is mounted: an empty directory. */
	readonly mountPoint: string;
	/** Holds `staging/`, `cache/` and `control.sock`. */
	readonly volumeDirectory: string;
};

export type DaemonReady =
	| {readonly status: 'ready'; readonly pid: number}
	/** One line for people: what failed, why, what to do; no secret. */
	| {readonly status: 'failed'; readonly message: string};

export type ControlRequest =
	| {readonly request: 'status'}
	/** What the daemon counted since it started. One that does not know the question yet answers `failed`. */
	| {readonly request: 'metrics'}
	/** Uploads what is dirty: `progress` lines, then `done` or `failed`. */
	| {readonly request: 'drain'; readonly timeoutMs: number}
	/**
	Reads what lies below a path of the volume ahead of those who will: `warmed` lines, then `done` or `failed`. It ends
	with the connection. Older daemons answer `failed`.
	*/
	| {readonly request: 'warmup'; readonly path: string; readonly isMetadataOnly: boolean}
	/**
	Ends by itself, as `stop` does, after this time if no pod uses the volume then; the latest request wins.
	`done` at once. Older daemons answer `failed`.
	*/
	| {readonly request: 'linger'; readonly forMs: number}
	/**
	Drains, unmounts, exits: `progress` lines, then `done` just before the exit. What is left at the deadline stays in
	the journal.
	*/
	| {readonly request: 'stop'; readonly timeoutMs: number};

export type DaemonStatus = {
	readonly volumeId: string;
	readonly pid: number;
	readonly version: string;
	readonly startedAtMs: number;
	readonly bucket: string;
	readonly prefix: string;
	readonly mountPoint: string;
	/** The value of the option; absent from daemons of older versions, which are `native`. */
	readonly transport?: VolumeOptions['transport'] | undefined;
	readonly residentBytes: number;
	readonly fileSystem: FileSystemStatus;
};

export type ControlReply =
	| {readonly reply: 'status'; readonly status: DaemonStatus}
	| {readonly reply: 'metrics'; readonly samples: MetricSamples}
	| {readonly reply: 'progress'; readonly dirtyBytes: number; readonly uploadsPending: number}
	| {readonly reply: 'warmed'; readonly progress: WarmUpProgress}
	| {readonly reply: 'done'}
	| {readonly reply: 'failed'; readonly message: string};
