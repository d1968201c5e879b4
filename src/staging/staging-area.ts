import fs from 'node:fs/promises';
import path from 'node:path';
import {FsError} from '../model/fs-error.ts';
import type {Metadata, ObjectHead} from '../store/object-store.ts';
import {type JournalRecord, readJournal, removeJournalRecord, writeJournalRecord} from './journal.ts';
import {type SpaceAccount, StagedLayer} from './staged-layer.ts';

/** A layer that an earlier run sealed and did not upload. */
export type RecoveredLayer = {readonly record: JournalRecord; readonly layer: StagedLayer};

/** What a layer is to become: goes into the journal with it. */
export type SealRequest = {
	readonly key: string;
	readonly base: ObjectHead | 'previous' | undefined;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
};

/**
The directory of dirty bytes. `<id>.data` holds the bytes of a layer, `<id>.json` its journal record once it is sealed.
Bytes without a record were never closed or synced: their file is removed at the next start. What cannot be uploaded for
good is kept in `failed/` for a person to look at.
*/
export class StagingArea {
	readonly #directory: string;
	readonly #bytesMax: number;
	readonly #isDurable: boolean;
	#usedBytes = 0;
	#counter = 0;
	readonly #startedAt = Date.now();
	readonly space: SpaceAccount;

	private constructor(options: {directory: string; bytesMax: number; isDurable: boolean}) {
		this.#directory = options.directory;
		this.#bytesMax = options.bytesMax;
		this.#isDurable = options.isDurable;
		this.space = {
			reserve: bytes => {
				if (this.#usedBytes + bytes > this.#bytesMax) {
					throw new FsError('ENOSPC', `The staging directory holds ${this.#usedBytes} bytes that S3 does not have yet, and staging-size allows ${this.#bytesMax}: wait for uploads or raise it`);
				}

				this.#usedBytes += bytes;
			},
			release: bytes => {
				this.#usedBytes -= bytes;
			},
		};
	}

	/**
	Opens the area. `isDurable`: a record is on stable storage before `seal` returns (durability `journal`); otherwise it
	survives the death of this process, but not a loss of power.
	*/
	static async open(options: {directory: string; bytesMax: number; isDurable: boolean}): Promise<StagingArea> {
		await fs.mkdir(options.directory, {recursive: true, mode: 0o700});
		return new StagingArea(options);
	}

	/** Bytes on local disk that S3 does not have. */
	get usedBytes(): number {
		return this.#usedBytes;
	}

	/** An empty layer over `lowerBytes` bytes of an older state of the file. */
	async createLayer(options: {lowerBytes: number}): Promise<StagedLayer> {
		// Ids sort by time: a start, then a count.
		const id = `${this.#startedAt.toString().padStart(14, '0')}-${(this.#counter++).toString().padStart(10, '0')}`;
		const file = await fs.open(this.#dataPath(id), 'wx+', 0o600);
		return new StagedLayer({id, file, space: this.space, lowerBytes: options.lowerBytes});
	}

	/** The layer does not change any more and survives this process: its bytes and its record are on local disk. */
	async seal(layer: StagedLayer, request: SealRequest): Promise<void> {
		layer.seal();
		await this.record(layer, request);
	}

	/** Writes the record of a sealed layer again: it is to become something else now (a rename, new attributes). */
	async record(layer: StagedLayer, request: SealRequest): Promise<void> {
		if (this.#isDurable) {
			await layer.sync();
		}

		await writeJournalRecord(this.#directory, {format: 1, id: layer.id, ...request, layer: layer.state, sealedAtMs: Date.now()}, {isDurable: this.#isDurable});
	}

	/** S3 has the bytes, or nobody wants them: record and bytes go. */
	async discard(layer: StagedLayer): Promise<void> {
		await removeJournalRecord(this.#directory, layer.id);
		await layer.close();
		await fs.rm(this.#dataPath(layer.id), {force: true});
	}

	/** The bytes are needed until `discard`, but must not be uploaded at the next start: their file was unlinked. */
	async forget(layer: StagedLayer): Promise<void> {
		await removeJournalRecord(this.#directory, layer.id);
	}

	/** Keeps record and bytes of a layer that can never be uploaded; says where. */
	async keepFailed(layer: StagedLayer): Promise<string> {
		const failed = path.join(this.#directory, 'failed');
		await fs.mkdir(failed, {recursive: true, mode: 0o700});
		for (const suffix of ['data', 'json']) {
			await fs.rename(path.join(this.#directory, `${layer.id}.${suffix}`), path.join(failed, `${layer.id}.${suffix}`));
		}

		await layer.close();
		return path.join(failed, `${layer.id}.data`);
	}

	/** What an earlier run sealed and did not upload, oldest first. Removes what it never acknowledged. */
	async recover(): Promise<{layers: RecoveredLayer[]; damaged: string[]}> {
		const {records, damaged} = await readJournal(this.#directory);
		const layers: RecoveredLayer[] = [];
		for (const record of records) {
			const file = await fs.open(this.#dataPath(record.id), 'r+');
			const layer = new StagedLayer({id: record.id, file, space: this.space, lowerBytes: 0, state: record.layer});
			layer.seal();
			layers.push({record, layer});
		}

		const known = new Set(records.map(record => record.id));
		for (const name of await fs.readdir(this.#directory)) {
			const id = /^(\d{14}-\d{10})\.(?:data|json\.tmp)$/.exec(name)?.[1];
			const isOfThisRun = id?.startsWith(this.#startedAt.toString().padStart(14, '0')) ?? false;
			if (id !== undefined && !known.has(id) && !isOfThisRun && !damaged.includes(`${id}.json`)) {
				await fs.rm(path.join(this.#directory, name), {force: true});
			}
		}

		return {layers, damaged};
	}

	#dataPath(id: string): string {
		return path.join(this.#directory, `${id}.data`);
	}
}
