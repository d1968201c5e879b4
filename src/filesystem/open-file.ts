import type {ObjectReader} from '../cache/object-reader.ts';
import type {ReadSequence} from '../cache/read-sequence.ts';
import {FsError} from '../model/fs-error.ts';
import {Semaphore} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {LayerStack} from '../upload/layer-stack.ts';
import type {SealTarget, SealedLayer} from '../upload/sealed-layer.ts';
import type {StagedLayer} from '../upload/staged-layer.ts';
import type {StagingArea} from '../upload/staging-area.ts';
import {type AttributeDefaults, type FileAttributes, writeAttributes} from './attributes.ts';
import type {OpenFlags} from './filesystem.ts';

/** One open(2) of a file. */
export type FileHandle = {
	readonly file: OpenFile;
	readonly flags: OpenFlags;
	readonly sequence: ReadSequence;
	/** Its reader has seen the end of the file, so it may continue in a longer version. */
	hasReachedEnd: boolean;
	/** The size of the file when it last read. */
	endBytes: number;
	/** The last write through it, so that its close knows whether there is anything to do. */
	hasWritten: boolean;
	/** The kernel was told not to read through its pages, as handles of another version were open. */
	isDirect: boolean;
	/** The version (etag) that the kernel's pages are of once the kernel has used the answer to this open. */
	pagesToCome: string | undefined;
};

/** Whether the file has another version than the one that the handle opened. */
export const isOutdated = (handle: FileHandle): boolean => handle.file.isOutdated(handle);

/** ESTALE when the file has another version than the one that the handle opened. */
export const assertCurrent = (handle: FileHandle): void => {
	if (isOutdated(handle)) {
		throw new FsError('ESTALE', `${handle.file.path} was replaced elsewhere since it was opened`);
	}
};

/**
A file that is open, or has changes that S3 does not have: its name, its attributes and its handles. All handles of a
node share it, so they see each other's writes at once. Its bytes are those of its layers.
*/
export class OpenFile {
	path: string;
	isUnlinked = false;
	/** Those of the kernel; they come and go through the FileTable. */
	readonly handles = new Set<FileHandle>();
	/** What is changed, on top of the object. */
	readonly layers: LayerStack;
	/** When the object was last compared with S3. */
	checkedAtMs: number;
	/** The failure of an upload that nobody was told of yet. */
	unreportedError: Error | undefined;
	/** Whether a close or fsync reported the failure of the changes that are still here. */
	wasToldOfFailure = false;
	/** The kernel may have pages of the path that are of another version than what the changes lie on. */
	hasOtherPages = false;
	/** The etag of a longer version in S3 that this one did not grow to, as far as it was compared. */
	replacedBy: string | undefined;
	#attributes: FileAttributes;
	/** When the file was written last, if its upload had begun before. */
	#laterMtimeNs: bigint | undefined;
	/** The handles of versions that somebody else has replaced, and the object that was theirs. */
	readonly #outdated = new Map<FileHandle, ObjectHead | undefined>();
	readonly #mutex = new Semaphore(1);
	readonly #reader: ObjectReader;
	readonly #defaults: AttributeDefaults;

	constructor(options: {
		path: string;
		base: ObjectHead | undefined;
		attributes: FileAttributes;
		staging: StagingArea;
		reader: ObjectReader;
		defaults: AttributeDefaults;
		now: number;
	}) {
		this.path = options.path;
		this.layers = new LayerStack(options);
		this.#attributes = options.attributes;
		this.#reader = options.reader;
		this.#defaults = options.defaults;
		this.checkedAtMs = options.now;
	}

	get base(): ObjectHead | undefined {
		return this.layers.base;
	}

	get attributes(): FileAttributes {
		return this.#attributes;
	}

	get sizeBytes(): number {
		return this.layers.sizeBytes;
	}

	get isOpen(): boolean {
		return this.handles.size > 0;
	}

	/** Whether this node knows more of the file than S3 does. */
	get hasChanges(): boolean {
		return !this.layers.isEmpty;
	}

	/** Whether there are changes that no close or fsync has sealed yet. */
	get hasUnsealedChanges(): boolean {
		return this.layers.hasUnsealedChanges;
	}

	/** Whether the changes since the last close or fsync are in more pieces than a layer may have. */
	get isFull(): boolean {
		return this.layers.isFull;
	}

	get oldestSealed(): SealedLayer | undefined {
		return this.layers.next;
	}

	/** Since when the oldest of what is sealed waits for its upload: also of an earlier run. */
	get oldestSealedAtMs(): number | undefined {
		return this.layers.next?.sealedAtMs;
	}

	get dirtyBytes(): number {
		return this.layers.localBytes;
	}

	/** One change at a time; reads go on meanwhile. */
	async exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
		return this.#mutex.run(task);
	}

	/** The object is this one now, with the bytes that it had. */
	replaceBase(base: ObjectHead, attributes: FileAttributes): void {
		this.layers.replaceBase(base);
		this.#attributes = attributes;
		this.replacedBy = undefined;
	}

	/** Somebody else replaced the object: the handles of before are outdated now. Only while there are no changes. */
	replaceVersion(base: ObjectHead, attributes: FileAttributes): void {
		for (const handle of this.handles) {
			if (!this.#outdated.has(handle)) {
				this.#outdated.set(handle, this.base);
			}
		}

		this.replaceBase(base, attributes);
	}

	isOutdated(handle: FileHandle): boolean {
		return this.#outdated.has(handle);
	}

	/** The object of the version that the handle opened. */
	versionOf(handle: FileHandle): ObjectHead | undefined {
		return this.#outdated.has(handle) ? this.#outdated.get(handle) : this.base;
	}

	/** The handle is of the version that the file has now. */
	makeCurrent(handle: FileHandle): void {
		this.#outdated.delete(handle);
	}

	removeHandle(handle: FileHandle): void {
		this.handles.delete(handle);
		this.#outdated.delete(handle);
	}

	get hasOutdatedHandles(): boolean {
		return this.#outdated.size > 0;
	}

	/** Whether handles that read are of another version. */
	get hasOutdatedReaders(): boolean {
		return [...this.#outdated.keys()].some(({flags}) => flags.read);
	}

	/** What the object is to be, with what was written so far. */
	get target(): SealTarget {
		const {base} = this;
		const metadata = writeAttributes(this.#attributes, base?.metadata ?? {}, this.#defaults);
		return {key: this.path, metadata, contentType: base?.contentType};
	}

	setAttributes(attributes: FileAttributes): void {
		const {mtimeNs} = this.#attributes;
		const before = JSON.stringify(this.target);
		this.#attributes = attributes;
		if (JSON.stringify(this.target) !== before && this.#isGoingUp) {
			this.layers.begun?.waste(); // S3 was told the attributes of before.
			if (attributes.mtimeNs === mtimeNs) {
				this.#catchUp();
			}
		}
	}

	/**
	Notes when it was written. Once its upload has begun, the time is told to S3, and stays until the changes are sealed.
	*/
	touch(mtimeNs: bigint): void {
		if (this.#isGoingUp) {
			this.#laterMtimeNs = mtimeNs;
			return;
		}

		this.#laterMtimeNs = undefined;
		const {atimeNs, mtimeNs: lastNs} = this.#attributes;
		// Both times of a new file are one until S3 has it: its object needs no second one.
		const isNew = this.base === undefined && atimeNs === lastNs;
		this.#attributes = {...this.#attributes, mtimeNs, atimeNs: isNew ? mtimeNs : atimeNs};
	}

	get #isGoingUp(): boolean {
		return this.layers.begun?.isAlive === true;
	}

	/** An upload that had begun was given up: the time of the last write counts. */
	#catchUp(): void {
		if (this.#laterMtimeNs !== undefined && !this.#isGoingUp) {
			this.touch(this.#laterMtimeNs);
		}
	}

	/** The layer for changes. To be called exclusively. */
	async writableLayer(): Promise<StagedLayer> {
		return this.layers.writable();
	}

	/** What is written so far is to reach S3 as it is now. To be called exclusively. */
	async seal(options: {waitsForUpload: boolean}): Promise<void> {
		this.#catchUp();
		this.#laterMtimeNs = undefined;
		await this.layers.seal(this.target, options);
	}

	/** Forgets all changes. To be called exclusively. */
	async discardChanges(): Promise<void> {
		await this.layers.discard();
	}

	/** No start of ours will upload the changes any more. To be called exclusively. */
	async forgetJournal(): Promise<void> {
		await this.layers.forgetJournal();
	}

	/** Brings all bytes of the object that still show to local disk: it is about to go. To be called exclusively. */
	async materialize(): Promise<void> {
		await this.layers.materialize(async (object, offset, target) => this.#reader.read(object, offset, target));
	}

	/** Whether changes name bytes of such an object, of which the bucket keeps no old version. */
	refersTo(isGoing: (key: string) => boolean): boolean {
		return this.layers.refersTo(isGoing);
	}

	/** The object that has all the bytes of a range, where nothing was changed: a copy of them can stay on the server. */
	objectAt(offset: number, length: number): ObjectHead | undefined {
		const {base} = this;
		return !this.hasChanges && base !== undefined && offset + length <= base.sizeBytes ? base : undefined;
	}

	/**
	Fills `target` from an offset with bytes of the version of the handle; how many, fewer only at the end. Each attempt
	decides without a wait where the bytes are, so they are of one version.
	*/
	async read(handle: FileHandle, offset: number, target: Uint8Array): Promise<number> {
		for (let attempt = 1; ; attempt++) {
			assertCurrent(handle);
			const {base} = this;
			try {
				return await this.layers.read(offset, target, async (object, from, part) =>
					this.#reader.read(object, from, part, handle.sequence),
				);
			} catch (error) {
				// A rename or an upload of ours may have replaced the object under this read: look again.
				const isGone = isStoreError(error, 'preconditionFailed', 'notFound');
				const isDamaged = isStoreError(error, 'corrupt');
				if (((isGone && this.base?.etag !== base?.etag) || isDamaged) && attempt < 3) {
					continue;
				}

				throw isGone
					? new FsError(
							'ESTALE',
							`${this.path} was replaced or deleted elsewhere, and the version that was opened is gone`,
							{cause: error},
						)
					: error;
			}
		}
	}
}
