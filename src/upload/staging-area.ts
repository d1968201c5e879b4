import fs from 'node:fs/promises';
import path from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {FsError} from '../model/fs-error.ts';
import type {Metadata, ObjectHead} from '../store/object-store.ts';
import {type JournalRecord, readJournal, removeJournalRecord, writeJournalRecord} from './journal.ts';
import type {LayerState} from './layer-state.ts';
import type {SpaceAccount} from './space-account.ts';
import {StagedLayer} from './staged-layer.ts';
import {toFsError} from './staging-error.ts';
import {retryWhenFull} from './when-full.ts';

/** A layer that an earlier run sealed and did not upload. */
export type RecoveredLayer = {readonly record: JournalRecord; readonly layer: StagedLayer};

/** What a layer is to become: goes into the journal with it. */
export type SealRequest = {
	readonly key: string;
	readonly base: ObjectHead | 'previous' | undefined;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
	readonly sealedAtMs: number;
	/** The newest layer that was merged into it. */
	readonly mergedId?: string | undefined;
	/** The write id of the layer from before that. */
	readonly writeHash?: string | undefined;
	/** Also where the area itself is not durable. */
	readonly isDurable?: boolean | undefined;
};

/** What an earlier run sealed and did not upload. */
export type Recovery = {
	/** The oldest first. */
	readonly layers: RecoveredLayer[];
	readonly damaged: string[];
	/** What may have lost bytes with the power, and is kept in `failed/` therefore. */
	readonly unproven: Array<{readonly key: string; readonly keptAt: string}>;
};

/**
The directory of dirty bytes. `<id>.data` holds the bytes of a layer, `<id>.json` its journal record once it is sealed.
Bytes without a record were never closed or synced: their file is removed at the next start. What cannot be uploaded for
good is kept in `failed/` for a person to look at.
*/
export class StagingArea {
	readonly directory: string;
	readonly #bytesMax: number;
	readonly #isDurable: boolean;
	readonly #bootId: string;
	readonly #makeRoom: (() => Promise<void>) | undefined;
	#usedBytes = 0;
	#counter = 0;
	/** The first half of the ids of this run: later than those of all runs before, also when the clock was set back. */
	readonly #startedAt: string;
	readonly #layers = new Set<StagedLayer>();
	/** The record of a layer that is being written: one after the other, so that the newest stays. */
	readonly #recording = new Map<string, Promise<void>>();
	readonly space: SpaceAccount;

	private constructor(options: {
		directory: string;
		bytesMax: number;
		isDurable: boolean;
		bootId: string;
		startedAt: string;
		makeRoom?: (() => Promise<void>) | undefined;
	}) {
		this.#makeRoom = options.makeRoom;
		this.directory = options.directory;
		this.#bootId = options.bootId;
		this.#startedAt = options.startedAt;
		this.#bytesMax = options.bytesMax;
		this.#isDurable = options.isDurable;
		this.space = {
			reserve: bytes => {
				if (this.#usedBytes + bytes > this.#bytesMax) {
					throw new FsError(
						'ENOSPC',
						`The staging directory holds ${this.#usedBytes} bytes that S3 does not have yet, and staging-size allows ${this.#bytesMax}: wait for uploads, or raise staging-size`,
					);
				}

				this.#usedBytes += bytes;
			},
			adopt: bytes => {
				this.#usedBytes += bytes;
			},
			release: bytes => {
				this.#usedBytes -= bytes;
			},
		};
	}

	/**
	Opens the area. `isDurable`: a record is on stable storage when `record` returns (durability `journal`); otherwise it
	survives the death of this process, but not a loss of power. `bootId` names the run of the kernel. `makeRoom` is
	called when the disk is full, before a write is tried once more.
	*/
	static async open(options: {
		directory: string;
		bytesMax: number;
		isDurable: boolean;
		bootId?: string | undefined;
		makeRoom?: (() => Promise<void>) | undefined;
	}): Promise<StagingArea> {
		const bootId = options.bootId ?? (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
		await fs.mkdir(options.directory, {recursive: true, mode: 0o700});
		const ids = (await fs.readdir(options.directory)).map(name => Number(/^(\d{14})-\d{10}\./.exec(name)?.[1] ?? 0));
		const startedAt = ids.reduce((newest, id) => Math.max(newest, id + 1), Date.now());
		return new StagingArea({...options, bootId, startedAt: startedAt.toString().padStart(14, '0')});
	}

	/** Whether every record outlasts a loss of power. */
	get isDurable(): boolean {
		return this.#isDurable;
	}

	/** Bytes on local disk that S3 does not have. */
	get usedBytes(): number {
		return this.#usedBytes;
	}

	/** An empty layer over `lowerBytes` bytes of an older state of the file. */
	createLayer(options: {lowerBytes: number; isOwnContent?: boolean}): StagedLayer {
		// Ids sort by time: a start, then a count.
		const id = `${this.#startedAt}-${(this.#counter++).toString().padStart(10, '0')}`;
		const layer = new StagedLayer({
			id,
			openFile: async () => fs.open(this.#dataPath(id), 'wx+', 0o600),
			space: this.space,
			makeRoom: this.#makeRoom,
			...options,
		});
		this.#layers.add(layer);
		return layer;
	}

	/**
	A sealed layer survives this process from now on: its bytes and its record are on local disk. Again when it lies
	on something else now.
	*/
	async record(layer: StagedLayer, request: SealRequest): Promise<void> {
		// At once: what the layer lies on, and what it is over that, must be of one moment.
		const isDurable = this.#isDurable || request.isDurable === true;
		const state = {layer: layer.state, bootId: this.#bootId, isDurable};
		const record: JournalRecord = {format: 2, id: layer.id, ...request, ...state};
		const replaced = layer.beginRecord();
		const before = this.#recording.get(layer.id) ?? Promise.resolve();
		const recording = before.then(
			async () => this.#writeRecord(layer, record),
			async () => this.#writeRecord(layer, record),
		);
		this.#recording.set(layer.id, recording);
		try {
			await recording;
			layer.endRecord(replaced, {isWritten: true});
		} catch (error) {
			layer.endRecord(replaced, {isWritten: false});
			throw toFsError(error);
		} finally {
			if (this.#recording.get(layer.id) === recording) {
				this.#recording.delete(layer.id);
			}
		}
	}

	/** S3 has the bytes, or nobody wants them: record and bytes go. */
	async discard(layer: StagedLayer): Promise<void> {
		await this.forget(layer);
		await layer.close();
		this.#layers.delete(layer);
		await fs.rm(this.#dataPath(layer.id), {force: true});
	}

	/** The bytes are needed until `discard`, but must not be uploaded at the next start: their file was unlinked. */
	async forget(layer: StagedLayer): Promise<void> {
		// The writer got the error; here the write only has to be over.
		await this.#recording.get(layer.id)?.catch(() => undefined);
		await removeJournalRecord(this.directory, layer.id);
	}

	/** Keeps record and bytes of a layer that can never be uploaded; says where. */
	async keepFailed(layer: StagedLayer): Promise<string> {
		const keptAt = await this.#keepFailed(layer.id);
		this.#layers.delete(layer);
		await layer.close();
		return keptAt;
	}

	async #keepFailed(id: string): Promise<string> {
		const failed = path.join(this.directory, 'failed');
		await fs.mkdir(failed, {recursive: true, mode: 0o700});
		// The bytes first: a start reports a record without them, and removes bytes without a record.
		for (const suffix of ['data', 'json']) {
			await fs
				.rename(path.join(this.directory, `${id}.${suffix}`), path.join(failed, `${id}.${suffix}`))
				.catch(ignoreAbsence);
		}

		return path.join(failed, `${id}.data`);
	}

	/** Whether the bytes of a record are as they were sealed: what only the page cache had is lost with the power. */
	#isProven({bootId, isDurable}: JournalRecord): boolean {
		return isDurable === true || bootId === undefined || bootId === this.#bootId;
	}

	/** What an earlier run left. Removes what it never acknowledged. */
	async recover(): Promise<Recovery> {
		const {records, damaged} = await readJournal(this.directory);
		const layers: RecoveredLayer[] = [];
		const unproven: Recovery['unproven'] = [];
		const keys = new Set<string>();
		const unprovenKeys = new Set<string>();
		const damagedKeys = new Set<string>();
		const mergedIds = new Map<string, string>();
		for (const record of records) {
			const {id, key} = record;
			if (id <= (mergedIds.get(key) ?? '')) {
				// The crash came after it was merged into the one before and before it was removed.
				await this.#remove(id);
				continue;
			}

			if (record.base !== 'previous' && keys.has(key)) {
				// It was written down anew when S3 had what it lay on, and the crash came before that was removed.
				await this.#discardOf(key, layers);
			}

			const liesOnUnproven = record.base === 'previous' && unprovenKeys.has(key);
			if (liesOnUnproven || !this.#isProven(record)) {
				unprovenKeys.add(key);
				unproven.push({key, keptAt: await this.#keepFailed(id)});
				continue;
			}

			const isOrphan = record.base === 'previous' && (!keys.has(key) || damagedKeys.has(key));
			if (isOrphan || (await this.#dataBytes(id)) < stagingFileBytes(record.layer)) {
				// Bytes are missing, or what they lie on: nothing that is safe to upload.
				damagedKeys.add(key);
				damaged.push(`${id}.json`);
				continue;
			}

			keys.add(key);
			unprovenKeys.delete(key);
			damagedKeys.delete(key);
			mergedIds.set(key, record.mergedId ?? '');
			layers.push({record, layer: this.#recoverLayer(record)});
		}

		await this.#removeUnrecorded(new Set([...records.map(({id}) => id), ...damaged.map(toId)]));
		return {layers, damaged, unproven};
	}

	#recoverLayer(record: JournalRecord): StagedLayer {
		const layer = new StagedLayer({
			id: record.id,
			openFile: async () => fs.open(this.#dataPath(record.id), 'r+'),
			space: this.space,
			makeRoom: this.#makeRoom,
			lowerBytes: 0,
			state: record.layer,
		});
		layer.seal();
		this.#layers.add(layer);
		return layer;
	}

	/** Closes all files. What is sealed stays in the journal. */
	async close(): Promise<void> {
		for (const layer of this.#layers) {
			await layer.abandon();
		}

		this.#layers.clear();
	}

	async #writeRecord(layer: StagedLayer, record: JournalRecord): Promise<void> {
		if (record.isDurable === true) {
			await layer.sync();
		}

		await retryWhenFull(async () => writeJournalRecord(this.directory, record), this.#makeRoom);
	}

	async #discardOf(key: string, layers: RecoveredLayer[]): Promise<void> {
		for (const recovered of layers.filter(({record}) => record.key === key)) {
			layers.splice(layers.indexOf(recovered), 1);
			await this.discard(recovered.layer);
		}
	}

	/** Bytes and halves of records of earlier runs, but for these layers. */
	async #removeUnrecorded(recorded: ReadonlySet<string>): Promise<void> {
		for (const name of await fs.readdir(this.directory)) {
			const id = /^(\d{14}-\d{10})\.(?:data|json\.tmp)$/.exec(name)?.[1];
			const isOfThisRun = id?.startsWith(this.#startedAt) ?? false;
			if (id !== undefined && !recorded.has(id) && !isOfThisRun) {
				await fs.rm(path.join(this.directory, name), {force: true});
			}
		}
	}

	/** Removes a record and its bytes. */
	async #remove(id: string): Promise<void> {
		await removeJournalRecord(this.directory, id);
		await fs.rm(this.#dataPath(id), {force: true});
	}

	/** 0 as well for a layer that never had bytes of its own. */
	async #dataBytes(id: string): Promise<number> {
		try {
			return (await fs.stat(this.#dataPath(id))).size;
		} catch (error) {
			if (hasErrorCode(error, 'ENOENT')) {
				return 0;
			}

			throw error;
		}
	}

	#dataPath(id: string): string {
		return path.join(this.directory, `${id}.data`);
	}
}

const toId = (recordName: string): string => path.basename(recordName, '.json');

/** How long the staging file of a layer must be to have all of its bytes. */
const stagingFileBytes = ({extents}: LayerState): number =>
	extents.reduce(
		(bytes, {start, end, source}) => (source.kind === 'local' ? Math.max(bytes, source.position + end - start) : bytes),
		0,
	);

/** A layer whose record could not be written has none to keep. */
const ignoreAbsence = (error: unknown): void => {
	if (!hasErrorCode(error, 'ENOENT')) {
		throw error;
	}
};
