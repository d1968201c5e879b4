import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import type {BlockCache} from '../../src/cache/block-cache.ts';
import type {FileSystem} from '../../src/filesystem/filesystem.ts';
import {createFileSystem} from '../../src/filesystem/create-file-system.ts';
import type {UploadEvent} from '../../src/upload/upload-event.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';
import {StagingArea} from '../../src/upload/staging-area.ts';
import {createFaultyObjectStore, type FaultyObjectStore} from '../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore, type MemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';
import {directFsUnderTest} from './direct-fs-under-test.ts';
import {errnoOf, type FsUnderTest} from './fs-under-test.ts';

/** One node that has the volume mounted, without a kernel. */
export type VolumeNode = {
	readonly fs: FsUnderTest;
	readonly fileSystem: FileSystem;
	/** What this node alone sees of the bucket: faults of it hit no other node. */
	readonly store: FaultyObjectStore;
	readonly events: UploadEvent[];
	readonly stagingDirectory: string;
};

export type NodeOptions = {
	/** As users write them. */
	readonly options?: Readonly<Record<string, string>>;
	readonly fsGroup?: number;
	/** The staging directory of an earlier run. */
	readonly stagingDirectory?: string;
	/** Which run of the kernel it is; default: the one of now. */
	readonly bootId?: string;
	/** Larger files go up while they are written. */
	readonly summedBytesMax?: number;
	/** Milliseconds that only grow. Default: a clock that stands still. */
	readonly now?: () => number;
	/** Default: none. */
	readonly blockCache?: BlockCache;
};

export type Nodes = {
	readonly bucket: MemoryObjectStore;
	readonly a: VolumeNode;
	readonly b: VolumeNode;
	/** Lets time pass on both nodes. */
	passMs(durationMs: number): void;
	/** One more node of the same bucket. */
	start(options?: NodeOptions): Promise<VolumeNode>;
};

/** Two nodes on one bucket in memory; gone after the test. Time stands still but for `passMs`. */
export const startNodes = async (
	t: ExecutionContext,
	{isVersioned = false, ...nodeOptions}: NodeOptions & {isVersioned?: boolean} = {},
): Promise<Nodes> => {
	const bucket = createMemoryObjectStore({isVersioned});
	let nowMs = 1000;
	const start = async (options: NodeOptions = {}): Promise<VolumeNode> =>
		startNode(t, bucket, {now: () => nowMs, ...nodeOptions, ...options});
	return {
		bucket,
		a: await start(),
		b: await start(),
		passMs(durationMs) {
			nowMs += durationMs;
		},
		start,
	};
};

/** One node on any store. */
export const startNode = async (
	t: ExecutionContext,
	inner: ObjectStore,
	{
		options: values = {},
		fsGroup,
		stagingDirectory,
		bootId,
		summedBytesMax,
		blockCache,
		now = () => 0,
	}: NodeOptions = {},
): Promise<VolumeNode> => {
	const directory = stagingDirectory ?? (await createStagingDirectory(t));
	const options = parseVolumeOptions({name: 'bucket', ...values});
	const store = createFaultyObjectStore(inner);
	const events: UploadEvent[] = [];
	const staging = await StagingArea.open({
		directory,
		bytesMax: options.stagingBytesMax,
		isDurable: options.durability === 'journal',
		bootId,
	});
	const fileSystem = await createFileSystem({
		store,
		staging,
		blockCache,
		options,
		fsGroup,
		summedBytesMax,
		now,
		memoryBytesMax: 64 * 2 ** 20,
		retryDelayMs: 5,
		onEvent: event => void events.push(event),
	});
	t.teardown(async () => {
		store.heal();
		await fileSystem.close();
	});
	return {fs: directFsUnderTest(fileSystem, ''), fileSystem, store, events, stagingDirectory: directory};
};

export const createStagingDirectory = async (t: ExecutionContext): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-staging-'));
	t.teardown(async () => rm(directory, {recursive: true, force: true, maxRetries: 3}));
	return directory;
};

/** The bytes of an object as text, `undefined` when there is none. */
export const objectText = async (bucket: ObjectStore, key: string): Promise<string | undefined> => {
	const result = await bucket.get(key);
	if (result === undefined) {
		return undefined;
	}

	const parts: Uint8Array[] = [];
	for await (const part of result.body) {
		parts.push(Buffer.from(part));
	}

	return Buffer.concat(parts).toString();
};

/** Every key of a small bucket. */
export const objectKeys = async (bucket: ObjectStore): Promise<string[]> =>
	(await bucket.list({prefix: ''})).objects.map(({key}) => key);

/** Waits until a condition holds. The bound is against hanging only: how fast it is judges nothing. */
export const eventually = async (
	t: ExecutionContext,
	what: string,
	isTrue: () => Promise<boolean> | boolean,
): Promise<void> => {
	const deadlineMs = performance.now() + 90_000;
	while (performance.now() < deadlineMs) {
		if (await isTrue()) {
			t.pass(what);
			return;
		}

		await delay(10);
	}

	t.fail(`It does not come to pass that ${what}`);
};

/** Flushes and releases, as a close() does; the errno that the program gets of it. */
export const closeHandle = async ({fileSystem}: VolumeNode, handle: number): Promise<string | undefined> => {
	const errno = await errnoOf(fileSystem.flush(handle));
	await fileSystem.release(handle);
	return errno;
};

/** Opens with the flags of open(2). */
export const openHandle = async ({fileSystem}: VolumeNode, path: string, flags: number): Promise<number> =>
	(await fileSystem.open(path, parseOpenFlags(flags), {permissions: 0o644, caller: {uid: 0, gid: 0}})).handle;

/** Up to so many bytes of an open file as text. */
export const readHandle = async (
	{fileSystem}: VolumeNode,
	handle: number,
	offset = 0,
	length = 4096,
): Promise<string> => {
	const buffer = Buffer.alloc(length);
	return buffer.subarray(0, await fileSystem.read(handle, buffer, offset)).toString();
};
