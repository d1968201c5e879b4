import assert from 'node:assert/strict';
import type fs from 'node:fs/promises';
import type {ObjectVersion} from '../store/object-store.ts';
import type {ExtentSource, LocalBytes} from './byte-source.ts';
import {type ContentPiece, pieceOfObject} from './content-piece.ts';
import {ExtentMap, type Piece} from './extent-map.ts';
import type {LayerState} from './layer-state.ts';
import type {SpaceAccount} from './space-account.ts';
import {toFsError} from './staging-error.ts';

/**
Changes to a file that S3 does not have yet: a sparse local file with the changed bytes at their offsets, and a map
of which bytes those are. What was not changed shows what lies below: an older layer, or the object.

A layer is written until it is sealed; from then on it never changes, and newer writes go to a layer on top.
*/
export class StagedLayer implements LocalBytes {
	readonly id: string;
	readonly #openFile: () => Promise<fs.FileHandle>;
	#file: fs.FileHandle | undefined;
	#opening: Promise<fs.FileHandle> | undefined;
	readonly #space: SpaceAccount;
	#extents = new ExtentMap();
	#hasObjects = false;
	#sizeBytes: number;
	#lowerBytes: number;
	#appendedFrom: number | undefined;
	#displacementBytes = 0;
	#reservedBytes = 0;
	/**
	Which bytes of the staging file were ever written, by their position in it: those take space on the disk, also
	when they were cut off since.
	*/
	readonly #allocated = new ExtentMap();
	/** Whether a write at the end counts as an append, also when its caller only gave that offset. */
	readonly #isEndAppend: boolean;
	#isSealed = false;
	#version = 0;
	#pinCount = 0;
	#unpinned: (() => void) | undefined;

	constructor(options: {
		id: string /** Called when there are bytes to write or to read. */;
		openFile: () => Promise<fs.FileHandle>;
		space: SpaceAccount;
		lowerBytes: number;
		isOwnContent?: boolean | undefined;
		state?: LayerState;
	}) {
		this.id = options.id;
		this.#openFile = options.openFile;
		this.#space = options.space;
		this.#sizeBytes = options.lowerBytes;
		this.#lowerBytes = options.lowerBytes;
		this.#appendedFrom = options.lowerBytes;
		this.#isEndAppend = options.lowerBytes > 0 && options.isOwnContent !== true;
		if (options.state !== undefined) {
			const {sizeBytes, lowerBytes, appendedFrom, displacementBytes, extents} = options.state;
			this.#sizeBytes = sizeBytes;
			this.#lowerBytes = lowerBytes;
			this.#appendedFrom = appendedFrom;
			this.#displacementBytes = displacementBytes;
			this.#extents = ExtentMap.from(extents);
			this.#hasObjects = extents.some(({source}) => source.kind === 'object');
			this.#reservedBytes = this.#extents.localBytes;
			this.#space.adopt(this.#reservedBytes);
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

	/** Grows with every change: equal numbers mean equal content. */
	get version(): number {
		return this.#version;
	}

	get state(): LayerState {
		return {
			sizeBytes: this.#sizeBytes,
			lowerBytes: this.#lowerBytes,
			appendedFrom: this.#appendedFrom,
			displacementBytes: this.#displacementBytes,
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

		const position = this.#positionOf(offset);
		const growth = this.#unallocatedBytes(position, position + data.length);
		this.#space.reserve(growth);
		this.#reservedBytes += growth;
		try {
			const file = await this.#fileHandle();
			for (let written = 0; written < data.length; ) {
				const {bytesWritten} = await file.write(data, written, data.length - written, position + written);
				written += bytesWritten;
			}
		} catch (error) {
			this.#space.release(growth);
			this.#reservedBytes -= growth;
			throw toFsError(error);
		}

		this.#allocated.set(position, position + data.length, {kind: 'local'});
		// Where the bytes stand now: the layer may have been displaced since.
		const start = position + this.#displacementBytes;
		this.#version++;
		this.#extents.set(start, start + data.length, {kind: 'local'});
		this.#sizeBytes = Math.max(this.#sizeBytes, start + data.length);
	}

	/** Gives [start, end) another source than the staging file. The size grows when `end` lies behind it. */
	setSource(start: number, end: number, source: Exclude<ExtentSource, {kind: 'local'}>): void {
		assert(!this.#isSealed, 'a sealed layer never changes');
		this.#version++;
		this.#appendedFrom = this.#isAtEnd(start, {isAppend: false}) ? this.#appendedFrom : undefined;

		this.#extents.set(start, end, source);
		this.#hasObjects ||= source.kind === 'object';
		this.#sizeBytes = Math.max(this.#sizeBytes, end);
	}

	/** Cuts the file or extends it with zeros. */
	truncate(sizeBytes: number): void {
		assert(!this.#isSealed, 'a sealed layer never changes');
		this.#version++;
		this.#extents.truncate(sizeBytes);
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
		await this.#file?.datasync();
	}

	/** The bytes [start, end) of the file with this layer; `below` says what shows where nothing was changed. */
	resolve(start: number, end: number, below: (start: number, end: number) => ContentPiece[]): ContentPiece[] {
		return this.#slice(start, end).flatMap(({source, ...piece}): ContentPiece[] => {
			const bytes = piece.end - piece.start;
			if (source === undefined) {
				return below(piece.start, piece.end);
			}

			return source.kind === 'local'
				? [{bytes, source: {kind: 'local', layer: this, position: this.#positionOf(piece.start)}}]
				: [{bytes, source}];
		});
	}

	/** The whole file as it will be in S3, over the object that lies below. */
	content(base: ObjectVersion | undefined): ContentPiece[] {
		return this.resolve(0, this.#sizeBytes, (start, end) => {
			assert(base !== undefined && end <= base.sizeBytes, 'what was not changed is in the object');
			return [pieceOfObject(base, start, end)];
		});
	}

	/** Local bytes from a position of the staging file; the range must be local. */
	async read(position: number, target: Uint8Array): Promise<void> {
		const file = await this.#fileHandle();
		for (let filled = 0; filled < target.length; ) {
			const {bytesRead} = await file.read(target, filled, target.length - filled, position + filled);
			assert(bytesRead > 0, 'the staging file holds every byte that its map calls local');
			filled += bytesRead;
		}
	}

	/** Moves a layer that was only appended to: the file below it grew by so many bytes. */
	displace(bytes: number): void {
		this.#version++;
		this.#displacementBytes += bytes;
		this.#extents = this.#extents.shifted(bytes);
		this.#sizeBytes += bytes;
		this.#lowerBytes += bytes;
		this.#appendedFrom = this.#appendedFrom === undefined ? undefined : this.#appendedFrom + bytes;
	}

	/**
	What lay below was the object `before` and bytes appended to it, which are further on in the object `after` now.
	The layer shows what it showed: it names those bytes where they are.
	*/
	keepView({
		before,
		after,
		appendedFrom,
		movedBytes,
	}: {
		before: ObjectVersion | undefined;
		after: ObjectVersion;
		appendedFrom: number;
		movedBytes: number;
	}): void {
		this.#version++;
		this.#appendedFrom = undefined;
		this.#hasObjects = true;
		const border = Math.min(appendedFrom, this.#lowerBytes);
		for (const {start, end, source} of [...this.#slice(0, border), ...this.#slice(border, this.#lowerBytes)]) {
			if (source === undefined) {
				const [object, objectOffset] = start < border ? [before, start] : [after, start + movedBytes];
				assert(object !== undefined, 'bytes before the appended ones are in an object');
				this.#extents.set(start, end, {kind: 'object', object, objectOffset});
			}
		}
	}

	/** Somebody reads from the layer: it stays open until they are done. */
	pin(): void {
		this.#pinCount++;
	}

	unpin(): void {
		this.#pinCount--;
		if (this.#pinCount === 0) {
			this.#unpinned?.();
		}
	}

	/** Closes the file; what is in it stays for the next start. */
	async abandon(): Promise<void> {
		await this.#file?.close();
	}

	/** Frees the disk space that was accounted for and the file, once nobody reads from it any more. */
	async close(): Promise<void> {
		if (this.#pinCount > 0) {
			await new Promise<void>(resolve => {
				this.#unpinned = resolve;
			});
		}

		this.#space.release(this.#reservedBytes);
		this.#reservedBytes = 0;
		await this.#file?.close();
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

	/** Where the bytes at an offset of the file are in the staging file: this stays when the layer is displaced. */
	#positionOf(offset: number): number {
		return offset - this.#displacementBytes;
	}

	/** The staging file, opened when it is needed first: many layers never have bytes of their own. */
	async #fileHandle(): Promise<fs.FileHandle> {
		if (this.#file === undefined) {
			this.#opening ??= this.#openFile();
			try {
				this.#file = await this.#opening;
			} finally {
				this.#opening = undefined;
			}
		}

		return this.#file;
	}

	/**
	A write at the end of somebody's file counts as an append too; a file that is written here from its start does
	not.
	*/
	#isAtEnd(offset: number, {isAppend}: {isAppend: boolean}): boolean {
		return offset === this.#sizeBytes && (isAppend || this.#isEndAppend);
	}

	#unallocatedBytes(start: number, end: number): number {
		return this.#allocated
			.slice(start, end)
			.reduce((total, piece) => total + (piece.source === undefined ? piece.end - piece.start : 0), 0);
	}
}
