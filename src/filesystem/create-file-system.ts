import {MetadataCache} from '../cache/metadata-cache.ts';
import type {AttributeCache} from '../cache/attribute-cache.ts';
import {type BlockCache, noBlockCache} from '../cache/block-cache.ts';
import {ObjectReader} from '../cache/object-reader.ts';
import type {MetricSink} from '../model/metric-sink.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {ReadObject} from '../upload/content-piece.ts';
import {ContentWriter} from '../upload/content-writer.ts';
import {EarlyUploads} from '../upload/early-uploads.ts';
import {NotedUploads} from '../upload/noted-uploads.ts';
import type {StagingArea} from '../upload/staging-area.ts';
import type {UploadEvent} from '../upload/upload-event.ts';
import {UploadQueue, type UploadStep} from '../upload/upload-queue.ts';
import {Uploader} from '../upload/uploader.ts';
import type {ListRequest, ObjectStore} from '../store/object-store.ts';
import {addFile} from './add-file.ts';
import {type AttributeDefaults, readAttributes} from './attributes.ts';
import {bindOperations} from './bind-operations.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import {FileTable} from './file-table.ts';
import {FilesAhead} from './files-ahead.ts';
import type {FileSystem} from './filesystem.ts';
import {KernelPages} from './kernel-pages.ts';
import {KnownMarkers} from './known-markers.ts';
import {LocalChanges} from './local-changes.ts';
import {Namespace} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import {Openings} from './openings.ts';
import {PathLocks} from './path-locks.ts';

export type FileSystemSetup = {
	readonly store: ObjectStore;
	readonly staging: StagingArea;
	readonly blockCache?: BlockCache | undefined;
	readonly attributeCache?: AttributeCache | undefined;
	readonly options: VolumeOptions;
	/** Bytes for data in flight, reads and writes together. */
	readonly memoryBytesMax: number;
	readonly fsGroup?: number | undefined;
	/** Milliseconds that only ever grow; tests may move them. */
	readonly now?: (() => number) | undefined;
	/** Objects above this size have no checksums of blocks, and go up while they are written. */
	readonly summedBytesMax?: number | undefined;
	/** First delay before a failed upload is tried again. */
	readonly retryDelayMs?: number | undefined;
	readonly metrics?: MetricSink | undefined;
	readonly onEvent?: ((event: UploadEvent) => void) | undefined;
};

/**
Puts the parts of a file system together and takes up what an earlier run left in the journal: those uploads begin at
once, in the background.
*/
export const createFileSystem = async (setup: FileSystemSetup): Promise<FileSystem> => {
	const {store, staging, options, metrics} = setup;
	const onEvent = setup.onEvent ?? (() => undefined);
	const blockCache = setup.blockCache ?? noBlockCache;
	const now = setup.now ?? (() => performance.now());
	const {uid, gid, fileMode, dirMode, attributes} = options;
	const defaults: AttributeDefaults = {uid, gid, fileMode, dirMode, attributes, fsGroup: setup.fsGroup};
	const reader = createReader(setup, blockCache);
	const {uploader, earlyUploads, notedUploads} = await createUploaders(setup, reader);
	const files = new FileTable();
	const tables = createTables({...setup, defaults, reader, now});
	const uploads = new UploadQueue<OpenFile>({
		uploader,
		onEvent,
		items: () => files.all(),
		onStep(file, step) {
			followUpload(parts, file, step);
		},
		retryDelayMs: setup.retryDelayMs,
		metrics,
	});
	const parts: FileSystemParts = {
		options,
		defaults,
		store,
		reader,
		staging,
		...tables,
		files,
		openings: new Openings({now}),
		uploads,
		earlyUploads,
		locks: new PathLocks(),
		now,
	};
	if (!options.readOnly) {
		await recover(parts, onEvent);
	}

	const fileSystem = bindOperations(parts, {
		cacheBytes: () => blockCache.usedBytes,
		async close() {
			await uploads.close();
			await Promise.all(files.all().map(async ({layers}) => layers.begun?.abandon()));
			await notedUploads.close();
			await reader.close();
			await blockCache.close();
			await setup.attributeCache?.close();
			await staging.close();
		},
	});
	await fileSystem.primeRoot();
	return fileSystem;
};

/** The parts that bring bytes to S3, but for the queue. */
const createUploaders = async (
	{store, staging, options, memoryBytesMax, onEvent, summedBytesMax}: FileSystemSetup,
	reader: ObjectReader,
) => {
	const readObject: ReadObject = async (object, offset, target) => reader.read(object, offset, target);
	const notedUploads = await NotedUploads.open({store, directory: staging.directory});
	const writer = new ContentWriter({
		store,
		uploads: notedUploads,
		readObject,
		partBytes: options.partBytes,
		memoryBytesMax: memoryBytesMax * 0.4,
		summedBytesMax,
	});
	const earlyUploads = new EarlyUploads({writer, uploads: notedUploads});
	const uploader = new Uploader({
		store,
		writer,
		readObject,
		onUselessConditions() {
			onEvent?.({event: 'the server cannot make a write conditional'});
		},
	});
	return {notedUploads, earlyUploads, uploader};
};

const createReader = (
	{store, options, memoryBytesMax, metrics}: FileSystemSetup,
	blockCache: BlockCache,
): ObjectReader =>
	new ObjectReader({
		store,
		blockCache,
		memoryBytesMax: memoryBytesMax * 0.6,
		partBytes: options.partBytes,
		fetchesWholePieces: options.endpoint.startsWith('http:'),
		metrics,
	});

/** What is known of names, and the one who tells these tables what this node changed. */
const createTables = ({
	store,
	options,
	defaults,
	reader,
	metrics,
	now,
	attributeCache,
}: Pick<FileSystemSetup, 'store' | 'options' | 'metrics' | 'attributeCache'> & {
	defaults: AttributeDefaults;
	reader: ObjectReader;
	now: () => number;
}) => {
	// The kernel keeps attributes for the other half of the time.
	const cache = new MetadataCache({ttlMs: options.metadataTtlMs / 2, now, attributes: attributeCache});
	const markers = new KnownMarkers({now});
	const filesAhead = new FilesAhead({store, reader, cache}, {isOn: options.consistency === 'ttl'});
	const asked = {
		head: async (key: string) => filesAhead.ask(key),
		list: async (request: ListRequest) => store.list(request),
	};
	const namespace = new Namespace({store: asked, cache, markers, defaults, metrics});
	const kernelPages = new KernelPages();
	const changes = new LocalChanges({cache, namespace, markers, kernelPages});
	return {cache, markers, namespace, filesAhead, kernelPages, changes};
};

/** What the tables of names know after a step of an upload. */
const followUpload = ({changes, files}: FileSystemParts, file: OpenFile, step: UploadStep): void => {
	switch (step.step) {
		case 'stored': {
			changes.uploaded(step.path, step.head, {
				isAsWritten: step.movedBytes === 0 && !step.isSuperseded && !file.hasOtherPages,
			});
			if (step.isSuperseded) {
				changes.mayHaveChanged(step.path);
			}

			break;
		}

		case 'dropped': {
			changes.mayHaveChanged(file.path);
			break;
		}

		case 'ended': {
			files.collect(file);
			break;
		}
	}
};

const recover = async (parts: FileSystemParts, onEvent: (event: UploadEvent) => void): Promise<void> => {
	const {layers, damaged, unproven} = await parts.staging.recover();
	for (const {key, keptAt} of unproven) {
		onEvent({event: 'bytes may be lost', path: key, keptAt});
	}

	for (const name of damaged) {
		onEvent({event: 'journal damaged', path: name});
	}

	for (const recovered of layers) {
		const {key, base, metadata, sealedAtMs} = recovered.record;
		const attributes = readAttributes({key, lastModifiedMs: sealedAtMs}, metadata, parts.defaults);
		const file = parts.files.get(key) ?? addFile(parts, key, base === 'previous' ? undefined : base, attributes);
		// Those of the layer that was closed last.
		file.setAttributes(attributes);
		file.layers.adopt(recovered);
		onEvent({event: 'recovered', path: key, bytes: recovered.layer.localBytes});
	}

	for (const file of parts.files.all()) {
		parts.uploads.start(file);
	}
};
