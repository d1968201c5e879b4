import {totalmem} from 'node:os';
import {dirname, join} from 'node:path';
import {DiskBlockCache} from '../cache/disk-block-cache.ts';
import type {FileSystem} from '../filesystem/filesystem.ts';
import {createFileSystem} from '../filesystem/create-file-system.ts';
import {mountFuse, type FuseMount} from '../fuse/fuse-mount.ts';
import {toKeyPrefix} from '../model/object-key.ts';
import {parseVolumeOptions, type VolumeOptions} from '../model/volume-options.ts';
import {startControlServer, type Progress} from './control-server.ts';
import type {DaemonRequest, DaemonStatus} from '../node/launch/daemon-protocol.ts';
import {createIdleEnd} from './idle-shutdown.ts';
import {readNodeEnvironment} from '../node/node-environment.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import type {Logger} from '../observability/logger.ts';
import {Metrics} from '../observability/metrics.ts';
import {startProcessMetrics} from '../observability/process-metrics.ts';
import {StagingArea} from '../upload/staging-area.ts';
import {provisionBucket} from '../store/provision-bucket.ts';
import {createS3ObjectStore} from '../store/s3-object-store.ts';
import {memoryLimitBytes, planMemoryBytes} from './memory-budget.ts';
import {packageVersion} from './package-version.ts';
import {S3Health} from './s3-health.ts';
import {S3Metrics} from './s3-metrics.ts';
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
	stop(options: {timeoutMs: number; onProgress?: ((progress: Progress) => void) | undefined}): Promise<void>;
	/** Settles when everything has ended: by `stop`, or because somebody unmounted the file system. */
	readonly stopped: Promise<void>;
};

/** How long programs that still use a mount may go on after it was unmounted. */
const unmountGraceMs = 2000;

/** After the idle time everything has been uploaded already, but for what came in the last moment. */
const idleStopMs = 5000;

/** How long an upload may go on when somebody has unmounted the file system under us. */
const drainAfterUnmountMs = 300_000;

/** Mounts a volume as a request says and resolves when it can be used. When this rejects, nothing is left behind. */
export const runMount = async (
	request: DaemonRequest,
	{log, isEachOperationLogged = false}: RunMountHooks,
): Promise<RunningMount> => {
	const startedAtMs = Date.now();
	const options = parseVolumeOptions(request.options);
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
	parts.defer(startProcessMetrics(metrics).close);
	const fileSystem = await openVolume(request, options, {log, parts, s3Health, metrics});
	const mount = await mountFuse({
		fileSystem,
		mountPoint: request.mountPoint,
		source: `pnx-volume:${options.name}${options.prefix === '' ? '' : `/${options.prefix}`}`,
		readOnly: options.readOnly,
		hasExtendedAttributes: options.attributes === 'posix',
		attributeCacheMs: options.metadataTtlMs / 2,
		operationMsMax: options.timeoutMs * 2,
		log,
		metrics,
		isEachLogged: isEachOperationLogged,
	});
	metrics.addReader(readVolumeMetrics(fileSystem, mount));
	parts.defer(async () => mount.unmount({graceMs: 0}));

	const status = (): DaemonStatus => ({
		volumeId: request.volumeId,
		pid: process.pid,
		version: packageVersion(),
		startedAtMs,
		bucket: options.name,
		prefix: options.prefix,
		mountPoint: request.mountPoint,
		residentBytes: process.memoryUsage.rss(),
		fileSystem: {lastError: s3Health.failure, ...fileSystem.status()},
	});
	const running = superviseMount(mount, fileSystem, log);
	const idleEnd = createIdleEnd({
		volumeId: request.volumeId,
		paths: volumePaths(dirname(dirname(request.volumeDirectory)), request.volumeId),
		runDirectory: readNodeEnvironment(process.env, '').runDirectory,
		drain: async timeoutMs => fileSystem.drain({signal: AbortSignal.timeout(timeoutMs)}),
		async end() {
			await running.stop({timeoutMs: idleStopMs});
			await closed;
		},
		onEvent: (message, fields) => log[fields['err'] === undefined ? 'info' : 'warn'](fields, message),
	});
	const control = await startControlServer(join(request.volumeDirectory, 'control.sock'), {
		status,
		metrics: () => metrics.samples(),
		drain: async ({timeoutMs, onProgress, signal}) =>
			fileSystem.drain({onProgress, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])}),
		linger: ({forMs}) => idleEnd.start(forMs),
		stop: running.stop,
	});

	const ending = parts.move();
	const closed = running.ended.then(async () => {
		idleEnd.close();
		// The answer to `stop` is on its way: the socket ends when it is written.
		await ending.disposeAsync();
		await control.close();
		log.info({mountPoint: request.mountPoint}, 'volume stopped');
	});
	const stopped = closed.then(async () => idleEnd.cleanedUp());
	log.info({mountPoint: request.mountPoint, durationMs: Date.now() - startedAtMs}, 'volume mounted');
	return {
		stopped,
		async stop(stopOptions) {
			await running.stop(stopOptions);
			await stopped;
		},
	};
};

type VolumeHooks = {
	readonly log: Logger;
	readonly parts: AsyncDisposableStack;
	readonly s3Health: S3Health;
	readonly metrics: Metrics;
};

const openVolume = async (
	request: DaemonRequest,
	options: VolumeOptions,
	{log, parts, s3Health, metrics}: VolumeHooks,
): Promise<FileSystem> => {
	const {name: bucket, region, endpoint, pathStyle, timeoutMs} = options;
	const s3Metrics = new S3Metrics(metrics);
	const store = createS3ObjectStore({
		bucket,
		keyPrefix: toKeyPrefix(options.prefix),
		region,
		endpoint,
		pathStyle,
		timeoutMs,
		credentials: request.credentials,
		isLocalRefused: request.rule?.isLocalEndpointRefused,
		onRequest(event) {
			s3Health.note(event);
			s3Metrics.note(event);
		},
	});
	parts.defer(async () => store.close());

	const staging = await StagingArea.open({
		directory: join(request.volumeDirectory, 'staging'),
		bytesMax: options.stagingBytesMax,
		isDurable: options.durability === 'journal',
	});
	const blockCache =
		options.cacheBytesMax === 0
			? undefined
			: await DiskBlockCache.open({
					directory: join(request.volumeDirectory, 'cache'),
					bytesMax: options.cacheBytesMax,
					metrics,
					onError: error => log.warn({err: error}, 'disk cache failed'),
				});
	const fileSystem = await createFileSystem({
		store,
		staging,
		blockCache,
		options,
		metrics,
		fsGroup: request.fsGroup,
		memoryBytesMax: planMemoryBytes({optionBytes: options.memoryBytesMax, limitBytes: memoryLimitBytes(totalmem())}),
		onEvent({event, ...fields}) {
			const {error, ...others} = {error: undefined, ...fields};
			log[event === 'recovered' ? 'info' : 'warn']({...others, ...(error === undefined ? {} : {err: error})}, event);
		},
	});
	parts.defer(async () => fileSystem.close());
	return fileSystem;
};

/** Drains and unmounts, once, when it is told to or when somebody else has unmounted. */
const superviseMount = (
	mount: FuseMount,
	fileSystem: FileSystem,
	log: Logger,
): {stop: RunningMount['stop']; ended: Promise<void>} => {
	const deadline = new AbortController();
	const listeners = new Set<(progress: Progress) => void>();
	const drain = async (): Promise<void> => {
		try {
			await fileSystem.drain({
				signal: deadline.signal,
				onProgress: status => listeners.forEach(listener => listener(status)),
			});
		} catch (error) {
			const {dirtyBytes, uploadsPending} = fileSystem.status();
			log.warn({dirtyBytes, uploadsPending, err: error}, 'not everything is in S3: the rest stays in the journal');
		}
	};

	const end = async (): Promise<void> => {
		await drain();
		await mount.unmount({graceMs: deadline.signal.aborted ? 0 : unmountGraceMs});
		// What programs have written between the two, and what the kernel has written back.
		await drain();
		listeners.forEach(listener => listener(fileSystem.status()));
	};

	const {promise: begun, resolve: begin} = Promise.withResolvers<void>();
	const ended = begun.then(end);
	const abortAfter = (timeoutMs: number): void => {
		const timer = setTimeout(() => deadline.abort(), timeoutMs);
		void ended.finally(() => clearTimeout(timer)).catch(() => undefined); // Whoever waits for `ended` gets the failure.
	};

	void mount.ended.then(() => {
		abortAfter(drainAfterUnmountMs);
		begin();
	});
	return {
		ended,
		async stop({timeoutMs, onProgress}) {
			if (onProgress !== undefined) {
				listeners.add(onProgress);
			}

			abortAfter(timeoutMs);
			begin();
			await ended;
		},
	};
};
