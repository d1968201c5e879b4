import type {EntryKind} from '../model/entry-kind.ts';
import {FsError} from '../model/fs-error.ts';
import {StoreError} from '../model/store-error.ts';
import type {ListedObject, ListPage} from '../store/object-store.ts';
import {isRegular, readAttributes} from './attributes.ts';
import {DirectoryStream} from './directory-stream.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {DirectoryEntry, Handle} from './filesystem.ts';

type OpenDirectory = {readonly path: string; readonly stream: DirectoryStream};

/** The open directories of a file system. */
export class Directories {
	readonly #parts: FileSystemParts;
	readonly #open = new Map<Handle, OpenDirectory>();
	#nextHandle = 1;
	/**
	The first page of the root as S3 last gave it: shown when S3 cannot be reached, so that nothing hangs on the root.
	*/
	#lastRootPage: ListPage = {objects: [], prefixes: []};

	constructor(parts: FileSystemParts) {
		this.#parts = parts;
	}

	get openCount(): number {
		return this.#open.size;
	}

	async opendir(path: string): Promise<Handle> {
		if ((await this.#parts.namespace.require(path)).kind !== 'directory') {
			throw new FsError('ENOTDIR', `${path} is not a directory`);
		}

		const stream: DirectoryStream = new DirectoryStream({
			directory: path,
			list: async continuationToken => this.#list(stream, path, continuationToken),
			localNames: () => this.#parts.files.localNames(path),
			kindOf: object => this.#kindOf(object),
		});
		const handle = this.#nextHandle++;
		this.#open.set(handle, {path, stream});
		this.#parts.namespace.opened(path);
		this.#noteBeginning(stream);
		return handle;
	}

	/** Where the listing tells, or attributes are known: who looks for kinds asks for no attributes then. */
	#kindOf(object: ListedObject): EntryKind | undefined {
		const {cache, defaults} = this.#parts;
		if (isRegular(object)) {
			return 'file';
		}

		const known = cache.get(object.key);
		return known?.state === 'object' ? readAttributes(known.head, known.head.metadata, defaults).kind : undefined;
	}

	/** When a listing began: what it says is as old as that. */
	readonly #beginnings = new WeakMap<DirectoryStream, {token: number; beganAtMs: number}>();

	#noteBeginning(stream: DirectoryStream): void {
		this.#beginnings.set(stream, {token: this.#parts.cache.beginRead(), beganAtMs: this.#parts.now()});
	}

	/** Offsets: 1 stands after `.`, 2 after `..`, then one more for each entry of the stream. */
	async readdir(number: Handle, offset: number): Promise<DirectoryEntry[]> {
		const directory = this.#open.get(number);
		if (directory === undefined) {
			throw new FsError('EBADF', `No directory is open with number ${number}`);
		}

		const {path, stream} = directory;
		const unknownKind = this.#parts.options.attributes === 'uniform' ? 'file' : 'unknown';
		const entries: DirectoryEntry[] = [];
		if (offset === 0) {
			stream.rewind();
			this.#noteBeginning(stream);
			entries.push({name: '.', kind: 'directory', nextOffset: 1});
		}

		if (offset <= 1) {
			entries.push({name: '..', kind: 'directory', nextOffset: 2});
		}

		const index = Math.max(0, offset - 2);
		for (const [position, {name, isDirectory, kind}] of (await stream.entriesFrom(index)).entries()) {
			entries.push({
				name,
				kind: isDirectory ? 'directory' : (kind ?? unknownKind),
				nextOffset: index + position + 3,
			});
		}

		const names = stream.allNames;
		const beginning = this.#beginnings.get(stream);
		if (names !== undefined && beginning !== undefined) {
			this.#parts.cache.recordListing(path, names, beginning);
		}

		return entries;
	}

	releasedir(number: Handle): void {
		const directory = this.#open.get(number);
		if (directory !== undefined) {
			this.#open.delete(number);
			this.#parts.namespace.closed(directory.path);
		}
	}

	/** Remembers the root, for the day on which S3 cannot be reached. */
	async primeRoot(): Promise<void> {
		this.#lastRootPage = {...(await this.#parts.namespace.list('', undefined)), continuationToken: undefined};
	}

	async #list(stream: DirectoryStream, path: string, continuationToken: string | undefined): Promise<ListPage> {
		try {
			const page = await this.#parts.namespace.list(path, continuationToken);
			if (path === '' && continuationToken === undefined) {
				this.#lastRootPage = {...page, continuationToken: undefined};
			}

			if (page.asked !== undefined) {
				this.#beginnings.set(stream, page.asked);
			}

			return page;
		} catch (error) {
			if (path === '' && error instanceof StoreError && error.isTransient) {
				// An old page says nothing about what is absent now.
				this.#beginnings.delete(stream);
				return this.#lastRootPage;
			}

			throw error;
		}
	}
}
