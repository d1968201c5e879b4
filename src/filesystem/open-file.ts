import assert from 'node:assert/strict';
import type {ObjectReader} from '../cache/object-reader.ts';
import type {ReadSequence} from '../cache/read-sequence.ts';
import {FsError} from '../model/fs-error.ts';
import {Semaphore} from '../model/semaphore.ts';
import {isStoreError} from '../model/store-error.ts';
import type {StagedLayer} from '../upload/staged-layer.ts';
import type {StagingArea} from '../upload/staging-area.ts';
import type {Metadata, ObjectHead} from '../store/object-store.ts';
import {type AttributeDefaults, type FileAttributes, writeAttributes} from './attributes.ts';
import type {OpenFlags} from './filesystem.ts';

/** One open(2) of a file. */
export type FileHandle = {
	readonly file: OpenFile;
	readonly flags: OpenFlags;
	readonly sequence: ReadSequence;
	/** The version that this handle reads: it differs from the file's when the file was changed elsewhere since. */
	generation: number;
	/** It was told where the file ends: it may go on in a longer version. */
	hasReachedEnd: boolean;
	/** The size of the file when it last read. */
	endBytes: number;
	/** The last write through it, so that its close knows whether there is anything to do. */
	hasWritten: boolean;
};

/** A piece of a file for one read. */
type ReadPiece =
	| {
			readonly kind: 'local';
			readonly start: number;
			readonly end: number;
			readonly layer: StagedLayer;
			readonly position: number;
	  }
	| {readonly kind: 'zero'; readonly start: number; readonly end: number}
	| {
			readonly kind: 'object';
			readonly start: number;
			readonly end: number;
			readonly object: ObjectHead;
			readonly offset: number;
	  };

/**
A file that is open, or has changes that S3 does not have. It is the object `base` with layers of changes on top, the
oldest first; all but the last are sealed. All handles of a node share it, so they see each other's writes at once.
*/
export class OpenFile {
	path: string;
	isUnlinked = false;
	readonly handles = new Set<FileHandle>();
	/** Grows when the file is found changed elsewhere; handles of before keep the version that they opened. */
	generation = 0;
	/** When the object was last compared with S3. */
	checkedAtMs: number;
	/** The failure of an upload that nobody was told of yet. */
	unreportedError: Error | undefined;
	/** Whether a close or fsync reported the failure of the changes that are still here. */
	wasToldOfFailure = false;
	#base: ObjectHead | undefined;
	#attributes: FileAttributes;
	#layers: StagedLayer[] = [];
	/**
	What lies below the layers was written here from its start: to go on at its end is to write the same file, not to
	append to another.
	*/
	#hasOwnContent = false;
	/** What the sealed layers are to become. */
	readonly #sealed = new WeakMap<StagedLayer, {metadata: Metadata; contentType: string | undefined}>();
	readonly #sealedAtMs = new WeakMap<StagedLayer, number>();
	/** On what the journal says that a layer lies, and which state of the layer it has. */
	readonly #recorded = new WeakMap<StagedLayer, string>();
	readonly #mutex = new Semaphore(1);
	readonly #staging: StagingArea;
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
		this.#base = options.base;
		this.#attributes = options.attributes;
		this.#staging = options.staging;
		this.#reader = options.reader;
		this.#defaults = options.defaults;
		this.checkedAtMs = options.now;
	}

	get base(): ObjectHead | undefined {
		return this.#base;
	}

	get attributes(): FileAttributes {
		return this.#attributes;
	}

	get sizeBytes(): number {
		return this.#layers.at(-1)?.sizeBytes ?? this.#base?.sizeBytes ?? 0;
	}

	/** Whether this node knows more of the file than S3 does. */
	get hasChanges(): boolean {
		return this.#layers.length > 0;
	}

	/** Whether there are changes that no close or fsync has sealed yet. */
	get hasUnsealedChanges(): boolean {
		return this.#layers.at(-1)?.isSealed === false;
	}

	get oldestSealed(): StagedLayer | undefined {
		const layer = this.#layers[0];
		return layer?.isSealed === true ? layer : undefined;
	}

	/** Since when the oldest of what is sealed waits for its upload: also of an earlier run. */
	get oldestSealedAtMs(): number | undefined {
		const layer = this.oldestSealed;
		return layer === undefined ? undefined : this.#sealedAtMs.get(layer);
	}

	get dirtyBytes(): number {
		return this.#layers.reduce((total, layer) => total + layer.localBytes, 0);
	}

	/** One change at a time; reads go on meanwhile. */
	async exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
		return this.#mutex.run(task);
	}

	/** What the object became by somebody else's hand, or by a change of ours that went around the layers. */
	replaceBase(base: ObjectHead, attributes: FileAttributes): void {
		this.#base = base;
		this.#hasOwnContent = false;
		this.#attributes = attributes;
	}

	setAttributes(attributes: FileAttributes): void {
		this.#attributes = attributes;
	}

	/** The layer for changes; a new one when the last is sealed. To be called exclusively. */
	async writableLayer(): Promise<StagedLayer> {
		const last = this.#layers.at(-1);
		if (last !== undefined && !last.isSealed) {
			return last;
		}

		const layer = this.#staging.createLayer({
			lowerBytes: this.sizeBytes,
			isOwnContent: this.#hasOwnContent || this.#layers.some(({appendedFrom}) => appendedFrom === undefined),
		});
		this.#layers.push(layer);
		return layer;
	}

	/** A layer of an earlier run. */
	pushRecovered(
		layer: StagedLayer,
		{metadata, contentType, sealedAtMs}: {metadata: Metadata; contentType: string | undefined; sealedAtMs: number},
	): void {
		this.#layers.push(layer);
		this.#sealed.set(layer, {metadata, contentType});
		this.#sealedAtMs.set(layer, sealedAtMs);
		this.#recorded.set(
			layer,
			`${this.#layers.length > 1 ? 'previous' : (this.#base?.etag ?? 'none')} ${layer.version}`,
		);
	}

	touch(mtimeNs: bigint): void {
		this.#attributes = {
			...this.#attributes,
			mtimeNs,
			atimeNs: this.#attributes.atimeNs > mtimeNs ? this.#attributes.atimeNs : mtimeNs,
		};
	}

	/**
	What is written so far is to reach S3 as it is now. It will, even when this process dies, once `recordSealed` was
	called: at once, unless the caller is to wait for a short upload anyway. To be called exclusively.
	*/
	async seal(options: {waitsForUpload: boolean}): Promise<void> {
		const layer = this.#layers.at(-1);
		if (layer === undefined || layer.isSealed || this.isUnlinked) {
			return;
		}

		layer.seal();
		this.#sealedAtMs.set(layer, Date.now());
		this.#sealed.set(layer, {metadata: this.metadata, contentType: this.#base?.contentType});
		if (!options.waitsForUpload || this.#layers.length > 1 || layer.localBytes > shortUploadBytes) {
			await this.recordSealed();
		}
	}

	/**
	Brings the journal records of all sealed layers up to date: what each lies on changes when the one below it is
	uploaded.
	*/
	async recordSealed(): Promise<void> {
		for (const layer of [...this.#layers]) {
			const index = this.#layers.indexOf(layer);
			const sealed = this.#sealed.get(layer);
			if (index === -1 || !layer.isSealed || sealed === undefined || this.isUnlinked) {
				continue;
			}

			const base = index === 0 ? this.#base : 'previous';
			const recorded = `${base === 'previous' ? base : (base?.etag ?? 'none')} ${layer.version}`;
			if (this.#recorded.get(layer) !== recorded) {
				await this.#staging.record(layer, {key: this.path, base, ...sealed});
				this.#recorded.set(layer, recorded);
			}
		}
	}

	/** The metadata that a layer was sealed with. */
	sealedMetadata(layer: StagedLayer): Metadata {
		return this.#sealed.get(layer)?.metadata ?? this.metadata;
	}

	/** The metadata of the object with the attributes as they are now. */
	get metadata(): Metadata {
		return writeAttributes(this.#attributes, this.#base?.metadata ?? {}, this.#defaults);
	}

	/**
	The oldest layer is in S3: the file lies on that object now. Layers above follow what was appended elsewhere; when they
	cannot, they keep what they show, and the answer is that this replaces somebody else's bytes.
	*/
	uploaded(head: ObjectHead, movedBytes: number): boolean {
		const layer = this.#layers.shift();
		assert(layer !== undefined, 'an upload was of the oldest layer');
		const before = this.#base;
		this.#base = head;
		this.#hasOwnContent ||= layer.appendedFrom === undefined;
		const [next] = this.#layers;
		if (movedBytes === 0 || next === undefined) {
			return false;
		}

		if (this.#layers.every(({appendedFrom}) => appendedFrom !== undefined)) {
			for (const above of this.#layers) {
				above.displace(movedBytes);
			}

			return false;
		}

		next.keepView({before, after: head, appendedFrom: layer.appendedFrom ?? 0, movedBytes});
		return true;
	}

	/** Forgets all changes. To be called exclusively. */
	async discardChanges(): Promise<void> {
		const layers = this.#layers;
		this.#layers = [];
		for (const layer of layers) {
			await this.#staging.discard(layer);
		}
	}

	/** Takes all layers off without discarding them. */
	takeLayers(): StagedLayer[] {
		const layers = this.#layers;
		this.#layers = [];
		return layers;
	}

	/** No start of ours will upload the changes any more. To be called exclusively. */
	async forgetJournal(): Promise<void> {
		for (const layer of this.#layers) {
			await this.#staging.forget(layer);
		}
	}

	/**
	Brings all bytes of the object that still show to local disk: the object is about to go. To be called exclusively.
	*/
	async materialize(): Promise<void> {
		const buffer = Buffer.allocUnsafe(Math.min(materializeBytes, this.sizeBytes));
		for (let offset = 0; offset < this.sizeBytes; offset += materializeBytes) {
			const end = Math.min(offset + materializeBytes, this.sizeBytes);
			for (const piece of this.#resolve(this.#layers.length - 1, offset, end)) {
				if (piece.kind === 'object') {
					const target = buffer.subarray(0, piece.end - piece.start);
					await this.#reader.read(piece.object, piece.offset, target);
					const layer = await this.writableLayer();
					await layer.write(piece.start, target, {isAppend: false});
				}
			}
		}
	}

	/** Whether changes name bytes of such an object, of which the bucket keeps no old version. */
	refersTo(isGoing: (key: string) => boolean): boolean {
		return this.#layers.some(layer =>
			layer.objects.some(object => object.versionId === undefined && isGoing(object.key)),
		);
	}

	/** The object that has all the bytes of a range, where nothing was changed: a copy of them can stay on the server. */
	objectAt(offset: number, length: number): ObjectHead | undefined {
		return this.#layers.length === 0 && this.#base !== undefined && offset + length <= this.#base.sizeBytes
			? this.#base
			: undefined;
	}

	/** Fills `target` from an offset; how many bytes, fewer only at the end. */
	async read(handle: FileHandle | undefined, offset: number, target: Uint8Array): Promise<number> {
		for (let attempt = 1; ; attempt++) {
			const base = this.#base;
			const end = Math.min(offset + target.length, this.sizeBytes);
			if (end <= offset) {
				return 0;
			}

			const pieces = this.#resolve(this.#layers.length - 1, offset, end);
			const pinned = pieces.flatMap(piece => (piece.kind === 'local' ? [piece.layer] : []));
			for (const layer of pinned) {
				layer.pin();
			}

			try {
				for (const piece of pieces) {
					await this.#readPiece(piece, target.subarray(piece.start - offset, piece.end - offset), handle?.sequence);
				}

				return end - offset;
			} catch (error) {
				// A rename or an upload of ours may have replaced the object under this read: look again.
				const isGone = isStoreError(error, 'preconditionFailed', 'notFound');
				const isDamaged = isStoreError(error, 'corrupt');
				if (((isGone && this.#base?.etag !== base?.etag) || isDamaged) && attempt < 3) {
					continue;
				}

				throw isGone
					? new FsError(
							'ESTALE',
							`${this.path} was replaced or deleted elsewhere, and the version that was opened is gone`,
							{cause: error},
						)
					: error;
			} finally {
				for (const layer of pinned) {
					layer.unpin();
				}
			}
		}
	}

	async #readPiece(piece: ReadPiece, target: Uint8Array, sequence: ReadSequence | undefined): Promise<void> {
		switch (piece.kind) {
			case 'local': {
				await piece.layer.read(piece.position, target);
				break;
			}

			case 'zero': {
				target.fill(0);
				break;
			}

			case 'object': {
				await this.#reader.read(piece.object, piece.offset, target, sequence);
				break;
			}
		}
	}

	/** Where the bytes [start, end) are: in the layer of this index, or below it. */
	#resolve(layerIndex: number, start: number, end: number): ReadPiece[] {
		const layer = this.#layers[layerIndex];
		if (layer === undefined) {
			const base = this.#base;
			return base === undefined
				? [{kind: 'zero', start, end}]
				: [{kind: 'object', start, end, object: base, offset: start}];
		}

		return layer.slice(start, end).flatMap((piece): ReadPiece[] => {
			const range = {start: piece.start, end: piece.end};
			switch (piece.source?.kind) {
				case undefined: {
					return this.#resolve(layerIndex - 1, piece.start, piece.end);
				}

				case 'local': {
					return [{kind: 'local', ...range, layer, position: layer.positionOf(piece.start)}];
				}

				case 'zero': {
					return [{kind: 'zero', ...range}];
				}

				case 'object': {
					const {object, objectOffset} = piece.source;
					return [
						{kind: 'object', ...range, object: {lastModifiedMs: 0, metadata: {}, ...object}, offset: objectOffset},
					];
				}
			}
		});
	}
}

const materializeBytes = 2 ** 20;
/** An upload of so few bytes is over before a record of it would be of use. */
const shortUploadBytes = 2 ** 18;
