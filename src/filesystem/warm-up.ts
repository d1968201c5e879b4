import {FsError} from '../model/fs-error.ts';
import {isEntryName} from '../model/object-key.ts';
import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ListedObject, ListPage} from '../store/object-store.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {WarmUpOptions, WarmUpProgress} from './filesystem.ts';
import {lookUpWithContent} from './look-up-with-content.ts';

/**
Reads what lies below a directory ahead of those who will: the bytes of its files into the disk cache, as many as that
has room for, and their attributes. Where there is no such directory, the path is the beginning of names. Fails with
ENOENT when there is nothing, with EINVAL when the volume has no disk cache, and as S3 does when that is away; what only
one file suffers is counted.
*/
export const warmUp = async (parts: FileSystemParts, path: string, options: WarmUpOptions): Promise<WarmUpProgress> => {
	if (!options.isMetadataOnly && parts.options.cacheBytesMax === 0) {
		throw new FsError('EINVAL', 'The volume has no disk cache: mount it with another cache-size than 0');
	}

	const task = new WarmUp(parts, options);
	const prefixes = path === '' ? [''] : [`${path}/`, path];
	for (const prefix of prefixes) {
		if (await task.run(prefix)) {
			return task.progress;
		}
	}

	throw new FsError('ENOENT', `Nothing in the volume is called ${path}, or begins so`);
};

class WarmUp {
	readonly #parts: FileSystemParts;
	readonly #options: WarmUpOptions;
	#files = 0;
	#bytes = 0;
	/** With those that are on their way. */
	#plannedBytes = 0;
	#skippedFiles = 0;
	#failedFiles = 0;
	#lastFailure: string | undefined;

	constructor(parts: FileSystemParts, options: WarmUpOptions) {
		this.#parts = parts;
		this.#options = options;
	}

	get progress(): WarmUpProgress {
		return {
			files: this.#files,
			bytes: this.#bytes,
			skippedFiles: this.#skippedFiles,
			failedFiles: this.#failedFiles,
			lastFailure: this.#lastFailure,
		};
	}

	/** False when no key begins so. */
	async run(prefix: string): Promise<boolean> {
		const {signal} = this.#options;
		let continuationToken: string | undefined;
		let hasFound = false;
		do {
			const page: ListPage = await this.#parts.store.list({prefix, continuationToken, signal});
			const objects = page.objects.filter(({key}) => key.replace(/\/$/, '').split('/').every(isEntryName));
			hasFound ||= objects.length > 0;
			await forEachParallel(objects, requestCountMax, async object => {
				signal?.throwIfAborted();
				await this.#warm(object);
				this.#options.onProgress?.(this.progress);
			});
			({continuationToken} = page);
		} while (continuationToken !== undefined);
		return hasFound;
	}

	async #warm(object: ListedObject): Promise<void> {
		try {
			await (object.key.endsWith('/') || this.#options.isMetadataOnly
				? this.#warmAttributes(object)
				: this.#warmBytes(object));
		} catch (error) {
			if (!isStoreError(error) || error.isTransient || error.code === 'aborted') {
				throw error;
			}

			if (error.code !== 'notFound' && error.code !== 'preconditionFailed') {
				this.#failedFiles++;
				this.#lastFailure = error.message;
			} // Otherwise it was deleted or replaced since it was listed.
		}
	}

	async #warmAttributes({key}: ListedObject): Promise<void> {
		const isDirectory = key.endsWith('/');
		if (this.#parts.options.attributes === 'posix') {
			await this.#parts.namespace.lookup(isDirectory ? key.slice(0, -1) : key);
		}

		this.#files += isDirectory ? 0 : 1;
	}

	async #warmBytes(object: ListedObject): Promise<void> {
		const {reader, namespace, options} = this.#parts;
		if (this.#plannedBytes + object.sizeBytes > options.cacheBytesMax) {
			this.#skippedFiles++;
			return;
		}

		this.#plannedBytes += object.sizeBytes;
		const entry = await namespace.lookupToOpen(object.key, async key => lookUpWithContent(this.#parts, key, object));
		if (entry?.kind !== 'object') {
			return;
		}

		if (await reader.keepOnDisk(entry.head)) {
			this.#files++;
			this.#bytes += entry.head.sizeBytes;
		} else {
			this.#skippedFiles++;
		}
	}
}

const requestCountMax = 64;
