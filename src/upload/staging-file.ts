import assert from 'node:assert/strict';
import type fs from 'node:fs/promises';
import type {Place} from './byte-source.ts';
import {ExtentMap} from './extent-map.ts';
import {FreePlaces} from './free-places.ts';
import type {SpaceAccount} from './space-account.ts';
import {toDamageError, toFsError} from './staging-error.ts';
import {retryWhenFull} from './when-full.ts';
import {WrittenSums} from './written-sums.ts';

/** The local file of a layer, and the disk space that it takes. The layer knows which bytes are where in it. */
export class StagingFile {
	readonly #open: () => Promise<fs.FileHandle>;
	#file: fs.FileHandle | undefined;
	#opening: Promise<fs.FileHandle> | undefined;
	readonly #space: SpaceAccount;
	readonly #makeRoom: (() => Promise<void>) | undefined;
	#reservedBytes = 0;
	#endPosition = 0;
	#syncError: Error | undefined;
	/** The blocks of the disk that were ever written to: they take space, also when nothing refers to them any more. */
	readonly #allocated = new ExtentMap();
	readonly #free = new FreePlaces();
	readonly #sums = new WrittenSums();

	/** `open` is called when there are bytes to write or to read, and `makeRoom` when the disk is full. */
	constructor(options: {
		open: () => Promise<fs.FileHandle>;
		space: SpaceAccount;
		makeRoom?: (() => Promise<void>) | undefined;
	}) {
		this.#makeRoom = options.makeRoom;
		this.#open = options.open;
		this.#space = options.space;
	}

	/** Nothing was ever written from here on. */
	get endPosition(): number {
		return this.#endPosition;
	}

	/** A place for so many bytes that nothing refers to. */
	allocate(bytes: number): Place {
		let position = this.#free.take(bytes);
		if (position === undefined) {
			position = this.#endPosition;
			this.#endPosition += bytes;
		}

		return {position, bytes};
	}

	/** Nothing refers to these places any more, neither a layer nor a record nor a reader. */
	free(places: readonly Place[]): void {
		for (const place of places) {
			this.#free.give(place);
		}

		this.#endPosition = this.#free.trim(this.#endPosition);
	}

	/** What an earlier run wrote. */
	adopt(place: Place): void {
		const growth = this.#growthBytes([place]);
		this.#space.adopt(growth);
		this.#note(place);
		this.#reservedBytes += growth;
	}

	/** Writes bytes to these places, one after the other. */
	async write(places: readonly Place[], data: Uint8Array): Promise<void> {
		const growth = this.#growthBytes(places);
		if (growth > 0) {
			this.#space.reserve(growth);
		}

		this.#reservedBytes += growth;
		this.#endPosition = Math.max(this.#endPosition, ...places.map(({position, bytes}) => position + bytes));
		const endSums = this.#sums.begin(places, data);
		try {
			await retryWhenFull(async () => this.#writeAll(places, data), this.#makeRoom);
			endSums({isWritten: true});
		} catch (error) {
			endSums({isWritten: false});
			this.#space.release(growth);
			this.#reservedBytes -= growth;
			throw toFsError(error);
		}

		for (const place of places) {
			this.#note(place);
		}
	}

	async #writeAll(places: readonly Place[], data: Uint8Array): Promise<void> {
		const file = await this.#handle();
		let written = 0;
		for (const {position, bytes} of places) {
			for (const end = written + bytes, shift = position - written; written < end; ) {
				const {bytesWritten} = await file.write(data, written, end - written, shift + written);
				written += bytesWritten;
			}
		}
	}

	/**
	Fills the target from a position; all of it must have been written. Fails with EIO when these are
	not the bytes that were written, as far as their checksums are known.
	*/
	async read(position: number, target: Uint8Array): Promise<void> {
		const file = await this.#handle();
		const check = this.#sums.beginRead();
		for (let filled = 0; filled < target.length; ) {
			const {bytesRead} = await file.read(target, filled, target.length - filled, position + filled);
			assert(bytesRead > 0, 'the staging file holds every byte that a layer calls local');
			filled += bytesRead;
		}

		if (!check(position, target)) {
			throw toDamageError();
		}
	}

	/** The CRC-32 of so many bytes from a position on, where it is known. */
	crcOf(position: number, bytes: number): number | undefined {
		return this.#sums.crcOf(position, bytes);
	}

	/** To stable storage. Fails ever after once it has failed: the kernel forgets what it could not write. */
	async sync(): Promise<void> {
		try {
			await this.#file?.datasync();
		} catch (error) {
			this.#syncError ??= error as Error;
		}

		if (this.#syncError !== undefined) {
			throw this.#syncError;
		}
	}

	/** Closes it; what is in it stays for the next start. */
	async abandon(): Promise<void> {
		await this.#file?.close();
	}

	/** Closes it, and frees the disk space that was accounted for: it is about to be removed. */
	async close(): Promise<void> {
		this.#space.release(this.#reservedBytes);
		this.#reservedBytes = 0;
		await this.#file?.close();
	}

	#note(place: Place): void {
		addBlocks(this.#allocated, place);
		this.#endPosition = Math.max(this.#endPosition, place.position + place.bytes);
	}

	/** The space of the blocks that these places take and that were never written to. */
	#growthBytes(places: readonly Place[]): number {
		const blocks = new ExtentMap(); // Several places may be in one.
		for (const place of places) {
			addBlocks(blocks, place);
		}

		const missing = blocks.extents.flatMap(({start, end}) => this.#allocated.slice(start, end));
		return missing.reduce(
			(total, {start, end, source}) => total + (source === undefined ? (end - start) * blockBytes : 0),
			0,
		);
	}

	/** Opened when it is needed first: many layers never have bytes of their own. */
	async #handle(): Promise<fs.FileHandle> {
		if (this.#file === undefined) {
			this.#opening ??= this.#open();
			try {
				this.#file = await this.#opening;
			} finally {
				this.#opening = undefined;
			}
		}

		return this.#file;
	}
}

const addBlocks = (blocks: ExtentMap, {position, bytes}: Place): void => {
	blocks.set(Math.floor(position / blockBytes), Math.ceil((position + bytes) / blockBytes), {kind: 'zero'});
};

/** Local file systems give out their space in blocks of this size. */
const blockBytes = 4096;
