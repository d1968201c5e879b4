import assert from 'node:assert/strict';
import type fs from 'node:fs/promises';
import type {ByteRange, ObjectVersion} from '../store/object-store.ts';
import type {ExtentSource, LocalBytes, Place} from './byte-source.ts';
import {type ContentPiece, pieceOfObject} from './content-piece.ts';
import {ExtentAccount} from './extent-account.ts';
import {ExtentMap, type Piece} from './extent-map.ts';
import {type KeptView, toKeptExtents} from './keep-view.ts';
import {LayerChanges} from './layer-changes.ts';
import type {LayerState} from './layer-state.ts';
import {Pins} from './pins.ts';
import {ReplacedPlaces} from './replaced-places.ts';
import type {SpaceAccount} from './space-account.ts';
import {copyPlaces} from './copy-places.ts';
import {StagingFile} from './staging-file.ts';

/**
Changes to a file that S3 does not have yet: a local file with the changed bytes, and a map of which bytes those are and
where they stand in it. What was not changed shows what lies below: an older layer, or the object.

A layer is written until it is sealed; from then on it never changes, and newer writes go to a layer on top.
*/
export class StagedLayer implements LocalBytes {
	readonly id: string;
	readonly #file: StagingFile;
	#extents = new ExtentMap();
	readonly #account: ExtentAccount;
	#hasObjects = false;
	#sizeBytes: number;
	#lowerBytes: number;
	#appendedFrom: number | undefined;
	/** How far it was moved in all. */
	#displacementBytes = 0;
	/**
	Bytes that are written for the first time go to their offset and so many bytes. A displacement begins a new stretch
	of the staging file, so that no place is ever taken by two offsets.
	*/
	#originPosition = 0;
	/** Whether a write at the end counts as an append, also when its caller only gave that offset. */
	readonly #isEndAppend: boolean;
	#isSealed = false;
	#version = 0;
	/** What merges have replaced. */
	readonly #replaced = new ReplacedPlaces();
	readonly changes = new LayerChanges();
	readonly #pins = new Pins(() => {
		this.#file.free(this.#replaced.takeFree());
	});

	constructor(options: {
		id: string;
		/** Called when there are bytes to write or to read. */
		openFile: () => Promise<fs.FileHandle>;
		space: SpaceAccount;
		makeRoom?: (() => Promise<void>) | undefined;
		lowerBytes: number;
		isOwnContent?: boolean | undefined;
		state?: LayerState;
	}) {
		this.id = options.id;
		this.#file = new StagingFile({...options, open: options.openFile});
		this.#account = new ExtentAccount(options.space);
		this.#sizeBytes = options.lowerBytes;
		this.#lowerBytes = options.lowerBytes;
		this.#appendedFrom = options.lowerBytes;
		this.#isEndAppend = options.lowerBytes > 0 && options.isOwnContent !== true;
		if (options.state !== undefined) {
			const {sizeBytes, lowerBytes, appendedFrom, extents} = options.state;
			this.#sizeBytes = sizeBytes;
			this.#lowerBytes = lowerBytes;
			this.#appendedFrom = appendedFrom;
			this.#extents = ExtentMap.from(extents);
			this.#account.set(this.#extents.count);
			this.#hasObjects = extents.some(({source}) => source.kind === 'object');
			for (const place of this.#extents.places(0, sizeBytes)) {
				this.#file.adopt(place);
			}
		}
	}

	/** The size of the file with this layer. */
	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/** How many bytes of what lies below still show where nothing was changed. */
	get lowerBytes(): number {
		return this.#lowerBytes;
	}

	/** Set while the file was only appended to: where the appended bytes begin. */
	get appendedFrom(): number | undefined {
		return this.#appendedFrom;
	}

	/** The objects whose bytes it names. */
	get objects(): ObjectVersion[] {
		return !this.#hasObjects
			? []
			: this.#extents.extents.flatMap(({source}) => (source.kind === 'object' ? [source.object] : []));
	}

	get localBytes(): number {
		return this.#extents.localBytes;
	}

	/** How many stretches it is made of. */
	get extentCount(): number {
		return this.#extents.count;
	}

	/** Grows with every change: equal numbers mean equal content. */
	get version(): number {
		return this.#version;
	}

	get state(): LayerState {
		return {
			sizeBytes: this.#sizeBytes,
			lowerBytes: this.#lowerBytes,
			appendedFrom: this.#appendedFrom,
			// As they are now, whatever moves until the journal has them.
			extents: [...this.#extents.toJSON()],
		};
	}

	/** Writes bytes at an offset of the file. `isAppend`: the caller asked for the end of the file, wherever it is. */
	async write(offset: number, data: Uint8Array, options: {isAppend: boolean}): Promise<void> {
		assert(!this.#isSealed, 'a sealed layer never changes');
		if (data.length === 0) {
			return;
		}

		if (!this.#isAtEnd(offset, options)) {
			// At once, so that a displacement while the bytes are on their way does not move what has to stay.
			this.#appendedFrom = undefined;
		}

		const places = this.#extents.placesToWrite(offset, offset + data.length, this.#originPosition);
		const before = this.#displacementBytes;
		this.#account.reserve(this.#extents.count + places.length + 1);
		this.changes.note(offset, offset + data.length);
		await this.#file.write(places, data).finally(() => {
			this.changes.note(offset, offset + data.length);
			this.#account.set(this.#extents.count);
		});
		this.#version++;
		// Where the bytes stand now: the layer may have been displaced since.
		let start = offset + this.#displacementBytes - before;
		for (const {position, bytes} of places) {
			this.#extents.set(start, start + bytes, {kind: 'local', position});
			start += bytes;
		}

		this.#account.set(this.#extents.count);
		this.#sizeBytes = Math.max(this.#sizeBytes, start);
	}

	/** Gives [start, end) another source than the staging file. The size grows when `end` lies behind it. */
	setSource(start: number, end: number, source: Exclude<ExtentSource, {kind: 'local'}>): void {
		assert(!this.#isSealed, 'a sealed layer never changes');
		this.#account.reserve(this.#extents.count + 2);
		this.#version++;
		this.#appendedFrom = this.#isAtEnd(start, {isAppend: false}) ? this.#appendedFrom : undefined;
		this.#extents.set(start, end, source);
		this.#account.set(this.#extents.count);
		this.#hasObjects ||= source.kind === 'object';
		this.#sizeBytes = Math.max(this.#sizeBytes, end);
		this.changes.note(start, end);
	}

	/** Cuts the file or extends it with zeros. */
	truncate(sizeBytes: number): void {
		assert(!this.#isSealed, 'a sealed layer never changes');
		this.#version++;
		this.changes.note(Math.min(sizeBytes, this.#sizeBytes));
		this.#extents.truncate(sizeBytes);
		this.#account.set(this.#extents.count);
		this.#lowerBytes = Math.min(this.#lowerBytes, sizeBytes);
		this.#sizeBytes = sizeBytes;
		this.#appendedFrom = undefined;
	}

	/** No other change may follow; what is read from it stays. */
	seal(): void {
		this.#isSealed = true;
	}

	/** Local bytes to stable storage. */
	async sync(): Promise<void> {
		await this.#file.sync();
	}

	/** The bytes [start, end) of the file with this layer; `below` says what shows where nothing was changed. */
	resolve<Below = never>(
		start: number,
		end: number,
		below: (start: number, end: number) => Array<ContentPiece | Below>,
	): Array<ContentPiece | Below> {
		return this.#slice(start, end).flatMap(({source, ...piece}): Array<ContentPiece | Below> => {
			const bytes = piece.end - piece.start;
			if (source === undefined) {
				return below(piece.start, piece.end);
			}

			return [{bytes, source: source.kind === 'local' ? {...source, layer: this} : source}];
		});
	}

	/** The file, or a range of it, as it will be in S3, over the object that lies below. */
	content(base: ObjectVersion | undefined, {start, end}: ByteRange = {start: 0, end: this.#sizeBytes}): ContentPiece[] {
		return this.resolve(start, end, (from, to) => {
			assert(base !== undefined && to <= base.sizeBytes, 'what was not changed is in the object');
			return [pieceOfObject(base, from, to)];
		});
	}

	/** Whether all bytes of [start, end) were written here. */
	hasAll(start: number, end: number): boolean {
		return end <= this.#sizeBytes && this.#extents.slice(start, end).every(({source}) => source?.kind === 'local');
	}

	/** Local bytes from a position of the staging file; the range must be local. */
	async read(position: number, target: Uint8Array): Promise<void> {
		await this.#file.read(position, target);
	}

	crcOf(position: number, bytes: number): number | undefined {
		return this.#file.crcOf(position, bytes);
	}

	/** Moves a layer that was only appended to: the file below it grew by so many bytes. */
	displace(bytes: number): void {
		this.#version++;
		this.changes.note(0);
		this.#displacementBytes += bytes;
		this.#originPosition = this.#file.endPosition;
		this.#extents = this.#extents.shifted(bytes);
		this.#sizeBytes += bytes;
		this.#lowerBytes += bytes;
		this.#appendedFrom = this.#appendedFrom === undefined ? undefined : this.#appendedFrom + bytes;
	}

	/**
	What lay below was the object `before` and bytes appended to it, which are further on in the object `after` now.
	The layer shows what it showed: it names those bytes where they are.
	*/
	keepView(view: KeptView): void {
		this.#version++;
		this.changes.note(0);
		this.#appendedFrom = undefined;
		this.#hasObjects = true;
		for (const {start, end, source} of toKeptExtents(view, this.#lowerBytes, (from, to) => this.#slice(from, to))) {
			this.#extents.set(start, end, source);
		}

		this.#account.set(this.#extents.count);
	}

	/**
	Brings the local bytes of the layer above, which is sealed as this one is, to places of this file that nothing refers
	to. They are for `absorb`.
	*/
	async copyFrom(upper: StagedLayer): Promise<Place[]> {
		return copyPlaces({file: upper.#file, places: upper.#extents.places(0, upper.#sizeBytes)}, this.#file);
	}

	/** Shows from now on what the layer above shows over this one; its local bytes are at these places of this file. */
	absorb(upper: StagedLayer, copies: readonly Place[]): void {
		this.#version++;
		this.#replaced.add(this.#extents.places(upper.#lowerBytes, Math.max(upper.#lowerBytes, this.#sizeBytes)));
		this.#extents.truncate(upper.#lowerBytes);
		this.#replaced.add(this.#extents.overlay(upper.#extents.extents, copies));
		this.#account.set(this.#extents.count);
		this.#hasObjects ||= upper.#hasObjects;
		this.#lowerBytes = Math.min(this.#lowerBytes, upper.#lowerBytes);
		this.#sizeBytes = upper.#sizeBytes;
		this.#appendedFrom = upper.#appendedFrom === undefined ? undefined : this.#appendedFrom;
	}

	/** A record of now is being written: the answer is for `endRecord`. */
	beginRecord(): readonly Place[] {
		return this.#replaced.takeRecorded();
	}

	/** The record is on disk, or could not be written: what it does not name is free then, or still named by the last. */
	endRecord(replaced: readonly Place[], {isWritten}: {isWritten: boolean}): void {
		if (isWritten) {
			this.#replaced.forget(replaced);
			this.#pins.whenNone();
		} else {
			this.#replaced.add(replaced);
		}
	}

	get isPinned(): boolean {
		return this.#pins.isPinned;
	}

	/** Somebody reads from the layer: it stays open until they are done. */
	pin(): void {
		this.#pins.pin();
	}

	unpin(): void {
		this.#pins.unpin();
	}

	/** Closes the file; what is in it stays for the next start. */
	async abandon(): Promise<void> {
		await this.#file.abandon();
	}

	/** Frees the disk space that was accounted for and the file, once nobody reads from it any more. */
	async close(): Promise<void> {
		await this.#pins.none();
		this.#account.set(0);
		await this.#file.close();
	}

	/** The pieces of [start, end) as this layer sees them: a source, or `undefined` for what lies below. */
	#slice(start: number, end: number): Piece[] {
		return this.#extents.slice(start, end).flatMap((piece): Piece[] => {
			if (piece.source !== undefined || piece.end <= this.#lowerBytes) {
				return [piece];
			}

			const zero = {kind: 'zero'} as const;
			return piece.start >= this.#lowerBytes
				? [{...piece, source: zero}]
				: [
						{...piece, end: this.#lowerBytes},
						{start: this.#lowerBytes, end: piece.end, source: zero},
					];
		});
	}

	/** A write at the end of somebody's file counts as an append too, unless it is written here from its start. */
	#isAtEnd(offset: number, {isAppend}: {isAppend: boolean}): boolean {
		return offset === this.#sizeBytes && (isAppend || this.#isEndAppend);
	}
}
