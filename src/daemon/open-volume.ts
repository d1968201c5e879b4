import {totalmem} from 'node:os';
import {DiskAttributeCache} from '../cache/disk-attribute-cache.ts';
import {DiskBlockCache} from '../cache/disk-block-cache.ts';
import type {FileSystem} from '../filesystem/filesystem.ts';
import {createFileSystem} from '../filesystem/create-file-system.ts';
import {toKeyPrefix} from '../model/object-key.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {DaemonRequest} from '../node/launch/daemon-protocol.ts';
import type {VolumePaths} from '../node/volumes/volume-directory.ts';
import type {Logger} from '../observability/logger.ts';
import type {Metrics} from '../observability/metrics.ts';
import {StagingArea} from '../upload/staging-area.ts';
import {createS3ObjectStore} from '../store/s3-object-store.ts';
import {memoryLimitBytes, planMemoryBytes} from './memory-budget.ts';
import type {S3Health} from './s3-health.ts';
import {S3Metrics} from './s3-metrics.ts';

type VolumeContext = {
	readonly request: DaemonRequest;
	readonly options: VolumeOptions;
	readonly paths: VolumePaths;
	readonly log: Logger;
	/** Takes what is to be closed at the end. */
	readonly parts: AsyncDisposableStack;
	readonly s3Health: S3Health;
	readonly metrics: Metrics;
};

/** Of what is known of some 80,000 objects. */
const attributeBytesMax = 2 ** 24;

/** Puts the file system of a volume together: its store, its staging directory and its caches. */
export const openVolume = async (context: VolumeContext): Promise<FileSystem> => {
	const {request, options, paths, log, parts, metrics} = context;
	const store = openStore(context);
	parts.defer(async () => store.close());
	const blockCache =
		options.cacheBytesMax === 0
			? undefined
			: await DiskBlockCache.open({
					directory: paths.cache,
					bytesMax: options.cacheBytesMax,
					metrics,
					onError: error => log.warn({err: error}, 'disk cache failed'),
				});
	const attributeCache =
		options.cacheBytesMax === 0
			? undefined
			: await DiskAttributeCache.open({
					directory: paths.cache,
					bytesMax: Math.min(attributeBytesMax, options.cacheBytesMax / 16),
					onError: error => log.warn({err: error}, 'disk cache failed'),
				});
	const staging = await StagingArea.open({
		directory: paths.staging,
		bytesMax: options.stagingBytesMax,
		isDurable: options.durability === 'journal',
		async makeRoom() {
			await blockCache?.giveWay();
			await attributeCache?.giveWay();
		},
	});
	const fileSystem = await createFileSystem({
		store,
		staging,
		blockCache,
		attributeCache,
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

const openStore = ({request, options, s3Health, metrics}: VolumeContext): ReturnType<typeof createS3ObjectStore> => {
	const {name: bucket, region, endpoint, pathStyle, timeoutMs} = options;
	const s3Metrics = new S3Metrics(metrics);
	return createS3ObjectStore({
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
};
