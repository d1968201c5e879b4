import fs from 'node:fs/promises';
import path from 'node:path';
import {type Counter, type MetricSink, noMetrics} from '../model/metric-sink.ts';
import type {BlockCache, VersionId} from './block-cache.ts';
import {blockFileHeaderBytes, readBlockFile, writeBlockFile} from './block-file.ts';

export type DiskBlockCacheOptions = {
	readonly directory: string;
	readonly bytesMax: number;
	readonly onError?: ((error: unknown) => void) | undefined;
	readonly metrics?: MetricSink | undefined;
	/** What the disk has left, and has in all. Default: that of the directory. */
	readonly readSpace?: (() => Promise<DiskSpace>) | undefined;
};

export type DiskSpace = {readonly freeBytes: number; readonly totalBytes: number};

/**
Blocks as files: `<directory>/v1/<first two digits>/<version id>-<index>`.

A file is written under its name, without a detour: a half one of a crash fails its check like every other damage, and
is removed.

When the directory is full the blocks that were not used for longest go first. Which ones there are is read from the
directory at start, oldest modification first; blocks that are used are moved to the end in memory only.

A part of the disk stays free for others, as what programs write is staged on the same disk: nothing is cached that
would take of it, and when others take of it, blocks go.
*/
export class DiskBlockCache implements BlockCache {
	readonly #directory: string;
	readonly #bytesMax: number;
	/** File name to size; the least recently used first. */
	readonly #files = new Map<string, number>();
	#usedBytes = 0;
	/** Blocks that are being written. */
	readonly #writing = new Map<string, Promise<void>>();
	#pendingBytes = 0;
	#closed = false;
	readonly #onError: (error: unknown) => void;
	readonly #readSpace: () => Promise<DiskSpace>;
	readonly #evictions: Counter;
	readonly #timer: NodeJS.Timeout;
	#givingWay: Promise<void> | undefined;
	#givingWayAgain: Promise<void> | undefined;
	/** How many bytes may be cached before the disk is looked at again. */
	#allowedBytes = 0;

	private constructor({
		directory,
		bytesMax,
		onError = () => undefined,
		metrics = noMetrics,
		readSpace,
	}: DiskBlockCacheOptions) {
		this.#directory = directory;
		this.#bytesMax = bytesMax;
		this.#evictions = metrics.counter('pnx_volume_cache_evictions_total', {tier: 'disk'});
		const errors = metrics.counter('pnx_volume_cache_errors_total');
		this.#onError = error => {
			errors.value++;
			onError(error);
		};
		this.#readSpace = readSpace ?? (async () => readDiskSpace(directory));
		this.#timer = setInterval(() => void this.giveWay(), giveWayEachMs);
		this.#timer.unref();
	}

	/** Opens a cache of at most `bytesMax` in a directory of its own; what an earlier run left there is used again. */
	static async open(options: DiskBlockCacheOptions): Promise<DiskBlockCache> {
		const directory = path.join(options.directory, 'v1');
		await fs.mkdir(directory, {recursive: true, mode: 0o700});
		const cache = new DiskBlockCache({...options, directory});
		await cache.#readDirectory();
		return cache;
	}

	get usedBytes(): number {
		return this.#usedBytes;
	}

	has(version: VersionId, index: number): boolean {
		return this.#files.has(fileNameOf(version, index));
	}

	async get(version: VersionId, index: number, target: Uint8Array): Promise<number | undefined> {
		const name = fileNameOf(version, index);
		const fileBytes = this.#files.get(name);
		if (fileBytes === undefined) {
			return undefined;
		}

		this.#files.delete(name);
		this.#files.set(name, fileBytes);
		try {
			const bytesRead = await readBlockFile(path.join(this.#directory, name), target);
			if (bytesRead !== undefined) {
				return bytesRead;
			}

			this.#onError(new Error(`Block ${name} of the disk cache is damaged; it is read from S3 again`));
		} catch (error) {
			this.#onError(error);
		}

		await this.#remove(name);
		return undefined;
	}

	async put(
		version: VersionId,
		index: number,
		bytes: Uint8Array,
		{isWaitedFor = false, crc}: {isWaitedFor?: boolean; crc?: number | undefined} = {},
	): Promise<void> {
		const name = fileNameOf(version, index);
		const fileBytes = bytes.length + blockFileHeaderBytes;
		while (isWaitedFor && !this.#closed && (this.#writing.has(name) || this.#writing.size >= writesPendingMax)) {
			await (this.#writing.get(name) ?? Promise.race(this.#writing.values()));
		}

		// A slow disk must not slow down reads: what it cannot take now is not cached.
		if (
			this.#closed ||
			this.#files.has(name) ||
			this.#writing.has(name) ||
			this.#pendingBytes + fileBytes > this.#bytesMax ||
			this.#writing.size >= writesPendingMax
		) {
			return;
		}

		const writing = this.#write(name, bytes, crc);
		this.#writing.set(name, writing);
		await writing;
	}

	/** Never rejects. */
	async #write(name: string, bytes: Uint8Array, crc: number | undefined): Promise<void> {
		const fileBytes = bytes.length + blockFileHeaderBytes;
		// Counted before it is there, so that writes at the same time do not pass the bound together.
		this.#pendingBytes += fileBytes;
		this.#usedBytes += fileBytes;
		const file = path.join(this.#directory, name);
		try {
			await this.#makeRoom();
			if (!(await this.#isAllowed(fileBytes))) {
				this.#usedBytes -= fileBytes;
				return;
			}

			await writeBlockFile(file, bytes, crc);
			this.#files.set(name, fileBytes);
		} catch (error) {
			// A full or broken disk costs speed, never a read.
			this.#usedBytes -= fileBytes;
			this.#onError(error);
			await fs.rm(file, {force: true}).catch(this.#onError);
			await this.giveWay();
		} finally {
			this.#writing.delete(name);
			this.#pendingBytes -= fileBytes;
		}
	}

	/** Whether the disk has room for so many bytes beside what is to stay free. */
	async #isAllowed(bytes: number): Promise<boolean> {
		if (this.#allowedBytes < bytes) {
			await this.giveWay();
		}

		if (this.#allowedBytes < bytes) {
			return false;
		}

		this.#allowedBytes -= bytes;
		return true;
	}

	/** Removes blocks until the disk has the room again that is to stay free. */
	async giveWay(): Promise<void> {
		if (this.#givingWay === undefined) {
			this.#givingWay = this.#keepFree().finally(() => {
				this.#givingWay = undefined;
			});
			await this.#givingWay;
			return;
		}

		// The one that is running may have looked at the disk before this call.
		this.#givingWayAgain ??= this.#givingWay.then(async () => {
			this.#givingWayAgain = undefined;
			await this.giveWay();
		});
		await this.#givingWayAgain;
	}

	async close(): Promise<void> {
		this.#closed = true;
		clearInterval(this.#timer);
		await this.#givingWayAgain;
		await this.#givingWay;
	}

	async #keepFree(): Promise<void> {
		try {
			const {freeBytes, totalBytes} = await this.#readSpace();
			const spareBytes = freeBytes - Math.min(freeBytesMin, totalBytes * freeShareMin);
			const usedBytes = this.#usedBytes;
			await this.#evictTo(usedBytes + Math.min(0, spareBytes - roomBytesMin));
			this.#allowedBytes = Math.max(0, spareBytes + usedBytes - this.#usedBytes);
		} catch (error) {
			this.#allowedBytes = 0;
			this.#onError(error);
		}
	}

	async #makeRoom(): Promise<void> {
		await this.#evictTo(this.#bytesMax);
	}

	async #evictTo(bytesMax: number): Promise<void> {
		for (const oldest of this.#files.keys()) {
			if (this.#usedBytes <= bytesMax) {
				break;
			}

			this.#evictions.value++;
			await this.#remove(oldest);
		}
	}

	async #remove(name: string): Promise<void> {
		const fileBytes = this.#files.get(name);
		if (fileBytes !== undefined) {
			this.#files.delete(name);
			this.#usedBytes -= fileBytes;
			await fs.rm(path.join(this.#directory, name), {force: true}).catch(this.#onError);
		}
	}

	async #readDirectory(): Promise<void> {
		const found: Array<{name: string; bytes: number; mtimeMs: number}> = [];
		for (const entry of await fs.readdir(this.#directory, {recursive: true, withFileTypes: true})) {
			if (!entry.isFile()) {
				continue;
			}

			const file = path.join(entry.parentPath, entry.name);
			const name = path.relative(this.#directory, file);
			if (!/^[\da-f]{2}\/[\da-f]{40}-\d+$/.test(name)) {
				await fs.rm(file, {force: true});
				continue;
			}

			const {size, mtimeMs} = await fs.stat(file);
			found.push({name, bytes: size, mtimeMs});
		}

		found.sort((a, b) => a.mtimeMs - b.mtimeMs);
		for (const {name, bytes} of found) {
			this.#files.set(name, bytes);
			this.#usedBytes += bytes;
		}

		await this.#makeRoom();
	}
}

const readDiskSpace = async (directory: string): Promise<DiskSpace> => {
	const {bavail, blocks, bsize} = await fs.statfs(directory);
	return {freeBytes: bavail * bsize, totalBytes: blocks * bsize};
};

/** So much of the disk stays free: of a small one, this share. */
const freeBytesMin = 2 ** 30;
const freeShareMin = 0.1;
/** And this for blocks that are read next, in place of older ones. */
const roomBytesMin = 2 ** 22;
const giveWayEachMs = 1000;
const writesPendingMax = 8;

const fileNameOf = (version: VersionId, index: number): string => `${version.slice(0, 2)}/${version}-${index}`;
