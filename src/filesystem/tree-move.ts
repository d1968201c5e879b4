import {FsError, isFsError} from '../model/fs-error.ts';
import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ListedObject, ObjectHead, VersionMarks} from '../store/object-store.ts';
import {backOff, raceCountMax} from './back-off.ts';
import {makeMarker} from './ensure-marker.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {MovedObject} from './local-changes.ts';
import {copyLatest} from './move-object.ts';
import {assertKeyFits} from './name-operations.ts';
import {ObjectSet} from './object-set.ts';

/**
The move of one tree. It goes through the tree page by page, and remembers a few bytes of each object: which version of
it was copied, and which copy is ours.
*/
export class TreeMove {
	readonly #parts: FileSystemParts;
	readonly #from: string;
	readonly #to: string;
	readonly #copied = new ObjectSet();
	readonly #copies = new ObjectSet();
	/** The copies of files that are open on this node, by old key. */
	readonly moved = new Map<string, MovedObject>();

	constructor(parts: FileSystemParts, from: string, to: string) {
		this.#parts = parts;
		this.#from = from;
		this.#to = to;
	}

	/**
	Copies every object; `target` is the marker of an empty directory that has the new name, or says that nothing has it.
	On a failure our copies go again, and both trees are as they were.
	*/
	async copyAll(target: {marker: ObjectHead | undefined} | undefined): Promise<void> {
		let marker: ListedObject | undefined;
		try {
			let isFirst = true;
			for await (const page of this.#parts.namespace.listTree(this.#from)) {
				if (isFirst) {
					isFirst = false;
					marker = page.find(({key}) => this.#isMarker(key));
					if (target === undefined) {
						// First, so that of several that move to one name exactly one goes on.
						await this.#placeMarker(marker, undefined);
					}
				}

				const files = page.filter(({key}) => !this.#isMarker(key));
				await forEachParallel(files, copiesAtOnceMax, async object =>
					this.#copy(object, {replaces: undefined, mayReplaceOthers: false}),
				);
			}

			if (target !== undefined) {
				// Last, so that the directory that is replaced is as it was until nothing can fail any more.
				await this.#placeMarker(marker, target.marker ?? (await this.#parts.store.head(`${this.#to}/`)));
			}
		} catch (error) {
			// What failed is what the caller must hear of; a copy that cannot be deleted either is only one too many.
			await this.#undo().catch(() => undefined);
			throw error;
		}
	}

	/**
	Deletes the versions that were copied. What has another version by now, or is new, is copied as well; what others
	change all the time, or also under the new name, stays under its old one.
	*/
	async removeOld(): Promise<void> {
		let isDone = false;
		for (let round = 1; !isDone && round <= raceCountMax; round++) {
			isDone = true;
			for await (const page of this.#parts.namespace.listTree(this.#from)) {
				const copied = page.filter(({key, etag}) => this.#copied.has(key, etag));
				const others = page.filter(({key, etag}) => !this.#copied.has(key, etag));
				const refusedCount = await this.#delete(copied, key => this.#toKey(key));
				isDone &&= refusedCount === 0;
				await forEachParallel(others, copiesAtOnceMax, async object => {
					const isCopied = await this.#copyAgain(object);
					isDone &&= !isCopied;
				});
			}

			if (!isDone) {
				await backOff(round);
			}
		}
	}

	#isMarker(key: string): boolean {
		return key === `${this.#from}/`;
	}

	#toKey(key: string): string {
		const newKey = `${this.#to}${key.slice(this.#from.length)}`;
		assertKeyFits(this.#parts, newKey);
		return newKey;
	}

	async #copy(object: ListedObject, destination: Parameters<typeof copyLatest>[3]): Promise<void> {
		const copy = await copyLatest(this.#parts, object, this.#toKey(object.key), destination);
		if (copy !== undefined) {
			this.#copied.add(object.key, copy.sourceEtag);
			this.#copies.add(copy.head.key, copy.head.etag);
			if (this.#parts.files.get(object.key) !== undefined) {
				this.moved.set(object.key, copy);
			}
		}
	}

	async #placeMarker(marker: ListedObject | undefined, replaced: ObjectHead | undefined): Promise<void> {
		if (marker !== undefined) {
			await this.#copy(marker, {replaces: replaced?.etag, mayReplaceOthers: false});
		} else if (replaced === undefined) {
			const made = await makeMarker(this.#parts, this.#to);
			if (made === undefined) {
				throw new FsError('EEXIST', `${this.#to} exists`);
			}

			this.#copies.add(`${this.#to}/`, made.etag);
		}
	}

	/** Whether a version that was not copied yet is now: not when somebody else has made the file of the new name. */
	async #copyAgain(object: ListedObject): Promise<boolean> {
		try {
			const there = await this.#parts.store.head(this.#toKey(object.key));
			if (there !== undefined && !this.#copies.has(there.key, there.etag)) {
				return false;
			}

			await this.#copy(object, {replaces: there?.etag, mayReplaceOthers: false});
			return true;
		} catch (error) {
			if (isFsError(error, 'EEXIST', 'ENAMETOOLONG')) {
				return false;
			}

			throw error;
		}
	}

	/** How many have another version by now, and stay. `toTwin` gives the other one of an object and its copy. */
	async #delete(objects: readonly ListedObject[], toTwin: (key: string) => string): Promise<number> {
		if (objects.length === 0) {
			return 0;
		}

		const failures = await this.#parts.store.deleteMany(
			objects.map(object => ({
				key: object.key,
				etag: object.etag,
				marks: async () => this.#findMarks(object, toTwin(object.key)),
			})),
		);
		const failure = failures.find(({error}) => !isStoreError(error, 'preconditionFailed'));
		if (failure !== undefined) {
			throw new FsError(
				'EIO',
				`${this.#from} was copied, but ${failure.key} of the old tree could not be deleted: ${failure.error.message}`,
				{cause: failure.error},
			);
		}

		const stayed = new Set(failures.map(({key}) => key));
		for (const {key, etag} of objects) {
			if (!stayed.has(key)) {
				this.#copied.delete(key, etag); // What has the name and these bytes from now on was made by somebody else.
			}
		}

		return failures.length;
	}

	async #undo(): Promise<void> {
		for await (const page of this.#parts.namespace.listTree(this.#to)) {
			const copies = page.filter(({key, etag}) => this.#copies.has(key, etag));
			await this.#delete(copies, key => `${this.#from}${key.slice(this.#to.length)}`);
		}
	}

	/** A listing has no write ids, but a copy and what it is a copy of have the same. */
	async #findMarks({lastModifiedMs}: ListedObject, twinKey: string): Promise<VersionMarks> {
		const twin = await this.#parts.store.head(twinKey);
		return {lastModifiedMs, writeId: twin?.writeIds?.[0]};
	}
}

const copiesAtOnceMax = 80;
