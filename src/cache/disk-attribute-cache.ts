import fs from 'node:fs/promises';
import path from 'node:path';
import {crc32} from 'node:zlib';
import {BoundedMap} from '../model/bounded-map.ts';
import {hasErrorCode} from '../model/error-text.ts';
import type {ListedObject, Metadata, ObjectHead} from '../store/object-store.ts';
import type {AttributeCache} from './attribute-cache.ts';

export type DiskAttributeCacheOptions = {
	readonly directory: string;
	/** Of what is known, in memory and, when the file is written anew, on disk. */
	readonly bytesMax: number;
	readonly onError?: ((error: unknown) => void) | undefined;
};

/**
What HEAD said, in memory and in one file: `<directory>/attributes.v1`. A line of it is the CRC-32 of the rest in
hexadecimal, the key as JSON, a tab, and what is known as JSON; the last line of a key counts. Lines are only added,
and the file is written anew when more than half of it is of no use. A half line at the end, as a crash leaves it, is
left out; with any other damage the whole file is thrown away.

An entry is found by the version that a listing names. A change of metadata alone keeps the etag of an object that was
put in one request, so the time counts too; and because HEAD tells whole seconds, what was younger than two seconds by
the server's clock is not kept (`ObjectHead.isSettled`).
*/
export class DiskAttributeCache implements AttributeCache {
	readonly #file: string;
	readonly #bytesMax: number;
	readonly #onError: (error: unknown) => void;
	/** What is known of a key, as its line has it. */
	readonly #known: BoundedMap<string, string>;
	#pending: string[] = [];
	#pendingBytes = 0;
	#fileBytes = 0;
	/** The file has to be written anew before anything is added to it. */
	#isStale = false;
	/** Nothing is written any more. */
	#isOver = false;
	#writing: Promise<void> = Promise.resolve();
	#timer: NodeJS.Timeout | undefined;

	private constructor({directory, bytesMax, onError = () => undefined}: DiskAttributeCacheOptions) {
		this.#file = path.join(directory, 'attributes.v1');
		this.#bytesMax = bytesMax;
		this.#onError = onError;
		this.#known = new BoundedMap({countMax: bytesMax, countOf: text => text.length + entryBytes});
	}

	/** Opens the cache of a directory; what an earlier run left is used again. A failure is for `onError` only. */
	static async open(options: DiskAttributeCacheOptions): Promise<DiskAttributeCache> {
		const cache = new DiskAttributeCache(options);
		try {
			await fs.mkdir(options.directory, {recursive: true, mode: 0o700});
			await cache.#read();
		} catch (error) {
			await cache.#end(error);
		}

		return cache;
	}

	find(object: ListedObject): ObjectHead | undefined {
		const text = this.#known.get(object.key);
		const head = text === undefined ? undefined : parseHead(object.key, text);
		const isSame =
			head !== undefined &&
			head.etag === object.etag &&
			head.sizeBytes === object.sizeBytes &&
			Math.floor(head.lastModifiedMs / 1000) === Math.floor(object.lastModifiedMs / 1000);
		return isSame ? head : undefined;
	}

	has(key: string): boolean {
		return this.#known.has(key);
	}

	note(head: ObjectHead): void {
		// What we put together from an answer to a write has our time.
		if (head.isSettled !== true || head.isFromAnswer === true) {
			return;
		}

		const text = formatHead(head);
		if (this.#known.get(head.key) === text) {
			return;
		}

		this.#known.set(head.key, text);
		if (this.#isOver) {
			return;
		}

		if (this.#pendingBytes > pendingBytesMax) {
			// The disk does not keep up.
			this.#isStale = true;
			this.#forgetPending();
		}

		const line = formatLine(head.key, text);
		this.#pending.push(line);
		this.#pendingBytes += line.length;
		this.#timer ??= setTimeout(() => {
			this.#write();
		}, writeAfterMs).unref();
	}

	async giveWay(): Promise<void> {
		this.#stop();
		await this.#writing;
		await fs.rm(this.#file, {force: true}).catch(this.#onError);
	}

	async close(): Promise<void> {
		if (!this.#isOver) {
			this.#write();
		}

		this.#stop();
		await this.#writing;
	}

	#stop(): void {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.#forgetPending();
	}

	#forgetPending(): void {
		this.#pending = [];
		this.#pendingBytes = 0;
	}

	/** Writes what is pending, behind what is being written. */
	#write(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (this.#pending.length === 0 && !this.#isStale) {
			return;
		}

		const added = Buffer.from(this.#pending.join(''));
		const isAnew = this.#isStale || this.#fileBytes + added.length > 2 * this.#bytesMax;
		const bytes = isAnew ? Buffer.from(this.#lines().join('')) : added;
		this.#isStale = false;
		this.#forgetPending();
		this.#fileBytes = isAnew ? bytes.length : this.#fileBytes + bytes.length;
		this.#writing = this.#writing.then(async () => {
			try {
				await (isAnew ? this.#replace(bytes) : fs.appendFile(this.#file, bytes, {mode: 0o600}));
			} catch (error) {
				await this.#end(error);
			}
		});
	}

	*#linesOfKnown(): Generator<string, void, void> {
		for (const key of this.#known.keys()) {
			yield formatLine(key, this.#known.get(key) ?? '');
		}
	}

	#lines(): string[] {
		return [...this.#linesOfKnown()];
	}

	async #replace(bytes: Uint8Array): Promise<void> {
		const temporary = `${this.#file}.tmp`;
		await fs.writeFile(temporary, bytes, {mode: 0o600});
		await fs.rename(temporary, this.#file);
	}

	/** A full or broken disk costs requests, and nothing else: from here on only memory knows. */
	async #end(error: unknown): Promise<void> {
		this.#stop();
		this.#onError(error);
		await fs.rm(this.#file, {force: true}).catch(this.#onError);
	}

	async #read(): Promise<void> {
		const bytes = await fs.readFile(this.#file).catch((error: unknown) => {
			if (hasErrorCode(error, 'ENOENT')) {
				return Buffer.alloc(0);
			}

			throw error;
		});
		const lines = bytes.toString().split('\n');
		this.#isStale = lines.pop() !== ''; // Half a line.
		this.#fileBytes = bytes.length;
		for (const line of lines) {
			const entry = parseLine(line);
			if (entry === undefined) {
				for (const key of this.#known.keys()) {
					this.#known.delete(key);
				}

				await fs.rm(this.#file, {force: true});
				this.#fileBytes = 0;
				this.#isStale = false;
				this.#onError(new Error(`The attributes in ${this.#file} are damaged; they are read from S3 again`));
				return;
			}

			this.#known.set(entry.key, entry.text);
		}
	}
}

/** What an entry takes in memory beside its text. */
const entryBytes = 100;
const pendingBytesMax = 2 ** 22;
const writeAfterMs = 1000;

const checksumOf = (text: string): string => crc32(text).toString(16).padStart(8, '0');

const formatLine = (key: string, text: string): string => {
	const line = `${JSON.stringify(key)}\t${text}`;
	return `${checksumOf(line)}${line}\n`;
};

const parseLine = (line: string): {key: string; text: string} | undefined => {
	const content = line.slice(8);
	const tab = content.indexOf('\t'); // JSON has none within a string.
	return tab !== -1 && line.slice(0, 8) === checksumOf(content)
		? {key: JSON.parse(content.slice(0, tab)) as string, text: content.slice(tab + 1)}
		: undefined;
};

type KnownHead = Pick<
	ObjectHead,
	'etag' | 'sizeBytes' | 'lastModifiedMs' | 'versionId' | 'contentType' | 'storageClass' | 'writeIds' | 'blockSums'
> & {readonly metadata: Metadata};

const formatHead = ({
	etag,
	sizeBytes,
	lastModifiedMs,
	metadata,
	versionId,
	contentType,
	storageClass,
	writeIds,
	blockSums,
}: ObjectHead): string => {
	const known: KnownHead = {
		etag,
		sizeBytes,
		lastModifiedMs,
		metadata,
		versionId,
		contentType,
		storageClass,
		...(writeIds === undefined ? {} : {writeIds}),
		...(blockSums === undefined ? {} : {blockSums}),
	};
	return JSON.stringify(known);
};

/** Its checksum says that we wrote it. */
const parseHead = (key: string, text: string): ObjectHead => ({key, ...(JSON.parse(text) as KnownHead)});
