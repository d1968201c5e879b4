import type {FileSystem} from '../filesystem/filesystem.ts';
import {mountFuse, type FuseMount} from '../fuse/fuse-mount.ts';
import {mountKernel} from '../fuse/kernel/kernel-mount.ts';
import {parseVolumeOptions, type VolumeOptions} from '../model/volume-options.ts';
import type {DaemonRequest, DaemonStatus} from '../node/launch/daemon-protocol.ts';
import {toMountSource} from '../node/mounts/mount-source.ts';
import {readNodeEnvironment} from '../node/node-environment.ts';
import {volumePathsIn, type VolumePaths} from '../node/volumes/volume-directory.ts';
import type {Logger} from '../observability/logger.ts';
import {Metrics} from '../observability/metrics.ts';
import {ProcessMetrics} from '../observability/process-metrics.ts';
import {provisionBucket} from '../store/provision-bucket.ts';
import {ControlServer} from './control-server.ts';
import {IdleShutdown} from './idle-shutdown.ts';
import {MountShutdown, type StopOptions} from './mount-shutdown.ts';
import {openVolume} from './open-volume.ts';
import {packageVersion} from './package-version.ts';
import {S3Health} from './s3-health.ts';
import {readVolumeMetrics} from './volume-metrics.ts';

export type RunMountHooks = {
	readonly log: Logger;
	/** Logs every operation of the kernel. */
	readonly isEachOperationLogged?: boolean | undefined;
};

export type RunningMount = {
	/**
	Uploads what is dirty, unmounts, and ends everything. At the deadline what is left stays in the journal. May be
	called again: the earlier deadline counts.
	*/
	stop(options: StopOptions): Promise<void>;
	/** Settles when everything has ended: by `stop`, or because somebody unmounted the file system. */
	readonly stopped: Promise<void>;
};

/** After the idle time everything has been uploaded already, but for what came in the last moment. */
const idleStopMs = 5000;

/** Mounts a volume as a request says and resolves when it can be used. When this rejects, nothing is left behind. */
export const runMount = async (
	request: DaemonRequest,
	{log, isEachOperationLogged = false}: RunMountHooks,
): Promise<RunningMount> => {
	const startedAtMs = Date.now();
	const options = parseVolumeOptions(request.options);
	const paths = volumePathsIn(request.volumeDirectory);
	await using parts = new AsyncDisposableStack();

	await provisionBucket({
		options,
		credentials: request.credentials,
		createdFor: request.createdFor,
		rule: request.rule,
		log: (message, {bucket: _, ...fields}) => log.info(fields, message),
	});
	const s3Health = new S3Health();
	const metrics = new Metrics();
	const processMetrics = new ProcessMetrics(metrics);
	parts.defer(() => processMetrics.close());
	const fileSystem = await openVolume({request, options, paths, log, parts, s3Health, metrics});
	const mount = await mountFileSystem({request, options, fileSystem, log, metrics, isEachOperationLogged});
	parts.defer(async () => mount.unmount({graceMs: 0}));

	const shutdown = new MountShutdown({mount, fileSystem, log});
	const idleShutdown = new IdleShutdown({
		volumeId: request.volumeId,
		paths,
		runDirectory: readNodeEnvironment(process.env, '').runDirectory,
		drain: async timeoutMs => fileSystem.drain({signal: AbortSignal.timeout(timeoutMs)}),
		async end() {
			await shutdown.stop({timeoutMs: idleStopMs});
			await closed;
		},
		onEvent: (message, fields) => log[fields['err'] === undefined ? 'info' : 'warn'](fields, message),
	});
	const status = (): DaemonStatus => toStatus({request, options, fileSystem, s3Health, startedAtMs});
	const control = await listenForControl({paths, status, fileSystem, metrics, shutdown, idleShutdown});

	const ending = parts.move();
	const closed = shutdown.ended.then(async () => {
		idleShutdown.close();
		// The answer to `stop` is on its way: the socket ends when it is written.
		await ending.disposeAsync();
		await control.close();
		log.info({mountPoint: request.mountPoint}, 'volume stopped');
	});
	const stopped = closed.then(async () => idleShutdown.cleanedUp());
	const {transport} = options;
	log.info({mountPoint: request.mountPoint, transport, durationMs: Date.now() - startedAtMs}, 'volume mounted');
	return {
		stopped,
		async stop(stopOptions) {
			await shutdown.stop(stopOptions);
			await stopped;
		},
	};
};

const mountOver = {native: mountFuse, kernel: mountKernel} as const satisfies Record<
	VolumeOptions['transport'],
	unknown
>;

type VolumeParts = {
	readonly request: DaemonRequest;
	readonly options: VolumeOptions;
	readonly fileSystem: FileSystem;
};

const mountFileSystem = async ({
	request,
	options,
	fileSystem,
	log,
	metrics,
	isEachOperationLogged,
}: VolumeParts & {log: Logger; metrics: Metrics; isEachOperationLogged: boolean}): Promise<FuseMount> => {
	const mount = await mountOver[options.transport]({
		fileSystem,
		mountPoint: request.mountPoint,
		source: toMountSource({...request, bucket: options.name, prefix: options.prefix}),
		readOnly: options.readOnly,
		hasExtendedAttributes: options.attributes === 'posix',
		attributeCacheMs: options.metadataTtlMs / 2,
		operationMsMax: options.timeoutMs * 2,
		log,
		metrics,
		isEachLogged: isEachOperationLogged,
	});
	metrics.addReader(readVolumeMetrics(fileSystem, mount, options.transport));
	return mount;
};

const toStatus = ({
	request,
	options,
	fileSystem,
	s3Health,
	startedAtMs,
}: VolumeParts & {s3Health: S3Health; startedAtMs: number}): DaemonStatus => ({
	volumeId: request.volumeId,
	pid: process.pid,
	version: packageVersion(),
	startedAtMs,
	bucket: options.name,
	prefix: options.prefix,
	mountPoint: request.mountPoint,
	transport: options.transport,
	residentBytes: process.memoryUsage.rss(),
	fileSystem: {lastError: s3Health.failure, ...fileSystem.status()},
});

type ControlParts = {
	readonly paths: VolumePaths;
	readonly status: () => DaemonStatus;
	readonly fileSystem: FileSystem;
	readonly metrics: Metrics;
	readonly shutdown: MountShutdown;
	readonly idleShutdown: IdleShutdown;
};

const listenForControl = async ({
	paths,
	status,
	fileSystem,
	metrics,
	shutdown,
	idleShutdown,
}: ControlParts): Promise<ControlServer> =>
	ControlServer.start(paths.socket, {
		status,
		metrics: () => metrics.samples(),
		drain: async ({timeoutMs, onProgress, signal}) =>
			fileSystem.drain({onProgress, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])}),
		warmUp: async (path, options) => fileSystem.warmUp(path, options),
		linger: ({forMs}) => idleShutdown.start(forMs),
		stop: async options => shutdown.stop(options),
	});
