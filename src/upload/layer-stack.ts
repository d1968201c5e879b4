import assert from 'node:assert/strict';
import type {ObjectHead} from '../store/object-store.ts';
import {type ReadObject, contentBytes, readContent} from './content-piece.ts';
import type {EarlyUpload} from './early-upload.ts';
import {extentCountMax} from './extent-account.ts';
import {LayerMerges} from './layer-merges.ts';
import {materialize} from './materialize.ts';
import {NeedlessLayers} from './needless-layers.ts';
import {resolveLayers} from './resolve-layers.ts';
import type {SealTarget, SealedLayer} from './sealed-layer.ts';
import type {StagedLayer} from './staged-layer.ts';
import type {RecoveredLayer, StagingArea} from './staging-area.ts';
import type {UploadOutcome} from './uploader.ts';

/**
The changes of one file that S3 does not have: layers on top of the object `base`, the oldest first; all are sealed but
the one that is written to. What changes more than one of them is to be called by one caller at a time; reads may go on
meanwhile.
*/
export class LayerStack {
	#base: ObjectHead | undefined;
	readonly #sealed: SealedLayer[] = [];
	#writable: StagedLayer | undefined;
	/** Of the layer for changes. */
	#begun: EarlyUpload | undefined;
	readonly #needless: NeedlessLayers;
	/**
	What lies below the layers was written here from its start: to go on at its end is to write the same file, not to
	append to another.
	*/
	#hasOwnContent = false;
	#isForgotten = false;
	readonly #merges: LayerMerges;
	readonly #staging: StagingArea;

	constructor(options: {base: ObjectHead | undefined; staging: StagingArea}) {
		this.#base = options.base;
		this.#staging = options.staging;
		this.#needless = new NeedlessLayers(options.staging);
		this.#merges = new LayerMerges({
			sealed: this.#sealed,
			isDurable: options.staging.isDurable,
			onMerged: upper => {
				this.#needless.add(upper);
			},
			record: async lower => this.#recordOne(lower, {isDurable: false}),
		});
	}

	get base(): ObjectHead | undefined {
		return this.#base;
	}

	/** The object is this version now: it was changed by somebody else, or by us without the layers. */
	replaceBase(base: ObjectHead): void {
		this.#base = base;
		this.#hasOwnContent = false;
	}

	/** The size of the file. */
	get sizeBytes(): number {
		return (this.#writable ?? this.#sealed.at(-1)?.layer ?? this.#base)?.sizeBytes ?? 0;
	}

	get isEmpty(): boolean {
		return this.#writable === undefined && this.#sealed.length === 0;
	}

	get hasUnsealedChanges(): boolean {
		return this.#writable !== undefined;
	}

	/** Whether the layer for changes has as many pieces as one may have: it is to be sealed. */
	get isFull(): boolean {
		return (this.#writable?.extentCount ?? 0) >= extentCountMax;
	}

	/** The oldest layer, when it is sealed and its bytes are wanted in S3. */
	get next(): SealedLayer | undefined {
		return this.#isForgotten ? undefined : this.#sealed[0];
	}

	/** The same, for an upload: nothing is merged into it any more. */
	async claim(): Promise<SealedLayer | undefined> {
		return this.#merges.claim(() => this.next);
	}

	/** All who waited for an upload were told that it failed. */
	endWaits(): void {
		for (const sealed of this.#sealed) {
			sealed.isWaitedFor = false;
		}
	}

	get localBytes(): number {
		return this.#layers.reduce((total, layer) => total + layer.localBytes, 0);
	}

	/** The layer for changes; a new one when all are sealed. */
	writable(): StagedLayer {
		this.#writable ??= this.#staging.createLayer({
			lowerBytes: this.sizeBytes,
			isOwnContent: this.#hasOwnContent || this.#layers.some(({appendedFrom}) => appendedFrom === undefined),
		});
		return this.#writable;
	}

	/** The layer for changes, when all bytes of the file are in it and are to reach S3. */
	get wholeLayer(): StagedLayer | undefined {
		return this.#sealed.length === 0 && this.#writable?.lowerBytes === 0 && !this.#isForgotten
			? this.#writable
			: undefined;
	}

	/** An upload of the layer for changes that has begun; also one that was given up. */
	get begun(): EarlyUpload | undefined {
		return this.#begun;
	}

	/** The upload of the layer for changes begins. */
	begin(upload: EarlyUpload): void {
		assert(this.#begun === undefined, 'a layer is uploaded once while it is written');
		this.#begun = upload;
	}

	/** A layer of an earlier run. */
	adopt({layer, record}: RecoveredLayer): void {
		const {key, metadata, contentType, sealedAtMs, mergedId, writeHash} = record;
		this.#sealed.push({
			...{layer, key, metadata, contentType, sealedAtMs, mergedId, writeHash},
			begun: undefined,
			isDurable: record.isDurable === true,
			mayBeStored: true,
			isClaimed: false,
			isWaitedFor: false,
			recorded: toRecorded(layer, this.#sealed.length === 0 ? this.#base : 'previous'),
		});
	}

	/**
	What is written so far is to become this object, or to be merged into a layer that waits to. It will, even when this
	process dies, from the moment when `record` has returned: before this call does, also for what an earlier call could
	not record, unless the caller is to wait for the upload anyway.
	*/
	async seal(target: SealTarget, options: {waitsForUpload: boolean}): Promise<void> {
		if (this.#isForgotten) {
			return;
		}

		const layer = this.#writable;
		if (layer !== undefined) {
			layer.seal();
			const begun = this.#takeBegun();
			begun?.seal();
			this.#writable = undefined;
			this.#sealed.push({
				...target,
				layer,
				sealedAtMs: Date.now(),
				mayBeStored: false,
				isClaimed: false,
				isWaitedFor: options.waitsForUpload,
				mergedId: undefined,
				begun,
				writeHash: begun?.writeHash,
				recorded: undefined,
				isDurable: false,
			});
			await this.#merges.run();
		}

		if (!options.waitsForUpload) {
			await this.record();
		} else if (layer !== undefined && (this.#sealed.length > 1 || layer.localBytes > shortUploadBytes)) {
			// The upload is what the caller waits for, and it needs no journal: one that fails tries again to write it.
			await this.record().catch(() => undefined);
		}
	}

	/**
	Brings the journal up to date: what a sealed layer lies on changes when the one below it is stored, and what it holds
	when the one above it is merged into it. Only then the layers that S3 has, or that were merged, are removed, so that a
	crash at any moment loses none that another lies on. With `isDurable` the
	records outlast a loss of power from now on, whatever the staging area does otherwise.
	*/
	async record({isDurable = false}: {isDurable?: boolean} = {}): Promise<void> {
		const needless = this.#needless.layers;
		for (const sealed of [...this.#sealed]) {
			await this.#recordOne(sealed, {isDurable});
		}

		await this.#needless.remove(needless, {mayWait: () => this.#sealed.length > 0});
	}

	/**
	S3 has the oldest layer: the file lies on that object now. `onMoved` is called in the same turn, and hears whether the
	layers above replace bytes of somebody else's.
	*/
	async take(outcome: UploadOutcome, onMoved: (replacesOthers: boolean) => void): Promise<void> {
		onMoved(this.#moveTo(outcome));
		await this.record();
	}

	/** Forgets all changes. */
	async discard(): Promise<void> {
		for (const layer of this.#removeAll()) {
			await this.#staging.discard(layer);
		}

		await this.record();
	}

	/** Takes all changes away, which can never be uploaded, and keeps their bytes; says where. */
	async keepFailed(): Promise<string | undefined> {
		let keptAt: string | undefined;
		for (const layer of this.#removeAll()) {
			keptAt = await this.#staging.keepFailed(layer);
		}

		await this.record();
		return keptAt;
	}

	/** The changes stay readable, and never reach S3 any more, nor does a start of ours find them. */
	async forgetJournal(): Promise<void> {
		this.#abandonUploads();
		for (const layer of [...this.#needless.layers, ...this.#layers]) {
			await this.#staging.forget(layer);
		}

		this.#isForgotten = true;
	}

	/** Brings all bytes of objects that still show to local disk: the objects are about to go. */
	async materialize(readObject: ReadObject): Promise<void> {
		await materialize({
			sizeBytes: this.sizeBytes,
			resolve: (start, end) => resolveLayers(this.#layers, this.#base, start, end),
			write: async (offset, bytes) => this.writable().write(offset, bytes, {isAppend: false}),
			readObject,
		});
	}

	/** Whether changes name bytes of such an object, of which the bucket keeps no old version. */
	refersTo(isGoing: (key: string) => boolean): boolean {
		return this.#layers.some(layer =>
			layer.objects.some(object => object.versionId === undefined && isGoing(object.key)),
		);
	}

	/** Fills the target from an offset; how many bytes, fewer only at the end. */
	async read(offset: number, target: Uint8Array, readObject: ReadObject): Promise<number> {
		const end = Math.min(offset + target.length, this.sizeBytes);
		if (end <= offset) {
			return 0;
		}

		const content = resolveLayers(this.#layers, this.#base, offset, end);
		await readContent(content, target.subarray(0, contentBytes(content)), readObject);
		return end - offset;
	}

	/** Nothing when the journal knows it, or when it is not one of the layers any more. */
	async #recordOne(sealed: SealedLayer, {isDurable}: {isDurable: boolean}): Promise<void> {
		const index = this.#sealed.indexOf(sealed);
		if (index === -1 || this.#isForgotten) {
			return;
		}

		const {layer, key, metadata, contentType, sealedAtMs, mergedId, writeHash} = sealed;
		const base = index === 0 ? this.#base : 'previous';
		const recorded = toRecorded(layer, base);
		const mustBeDurable = isDurable || sealed.isDurable;
		if (sealed.recorded !== recorded || sealed.isDurable !== mustBeDurable) {
			const identity = {key, metadata, contentType, sealedAtMs, mergedId, writeHash};
			await this.#staging.record(layer, {...identity, base, isDurable: mustBeDurable});
			sealed.recorded = recorded;
			sealed.isDurable ||= mustBeDurable;
		}
	}

	get #layers(): StagedLayer[] {
		const sealed = this.#sealed.map(({layer}) => layer);
		return this.#writable === undefined ? sealed : [...sealed, this.#writable];
	}

	#takeBegun(): EarlyUpload | undefined {
		const begun = this.#begun;
		this.#begun = undefined;
		return begun?.isAlive === true ? begun : undefined;
	}

	#abandonUploads(): void {
		void this.#begun?.abandon();
		for (const {begun} of this.#sealed) {
			void begun?.abandon();
		}
	}

	#removeAll(): StagedLayer[] {
		this.#abandonUploads();
		this.#begun = undefined;
		const layers = this.#layers;
		this.#sealed.length = 0;
		this.#writable = undefined;
		return layers;
	}

	/**
	Layers above follow what was appended elsewhere; when they cannot, they keep what they show, and the answer is that
	this replaces somebody else's bytes.
	*/
	#moveTo({head, movedBytes}: UploadOutcome): boolean {
		const {layer, begun} = this.#sealed.shift() ?? {};
		assert(layer !== undefined, 'an upload was of the oldest layer');
		void begun?.abandon(); // Unless it is what was stored.
		const before = this.#base;
		this.#base = head;
		this.#needless.add(layer);
		this.#hasOwnContent ||= layer.appendedFrom === undefined;
		const above = this.#layers;
		if (movedBytes === 0 || above.length === 0) {
			return false;
		}

		if (above.every(({appendedFrom}) => appendedFrom !== undefined)) {
			for (const one of above) {
				one.displace(movedBytes);
			}

			return false;
		}

		above[0]?.keepView({before, after: head, appendedFrom: layer.appendedFrom ?? 0, movedBytes});
		return true;
	}
}

/** On what a record says that a layer lies, and the state that it has of the layer. */
const toRecorded = (layer: StagedLayer, base: ObjectHead | 'previous' | undefined): string =>
	`${base === 'previous' ? base : (base?.etag ?? 'none')} ${layer.version}`;

/** An upload of so few bytes is over before a record of it would be of use. */
const shortUploadBytes = 2 ** 18;
