import {isFsError} from '../model/fs-error.ts';
import {extentCountMax} from './extent-account.ts';
import type {SealedLayer} from './sealed-layer.ts';
import type {StagedLayer} from './staged-layer.ts';
import {toWriteHash} from './write-id.ts';

/**
Merges sealed layers that wait for their upload: otherwise a file would have a layer, a record and a descriptor for each
fsync while S3 is slow. The bytes of the upper layer are copied to places of the file of the lower one that no record
names, then the lower one shows them, in one step. After that its record is to be written anew, and only then the upper
layer may be removed: so a crash at any moment leaves either both or the one that holds both.
*/
export class LayerMerges {
	/** Of one file, the oldest first. It belongs to the stack. */
	readonly #sealed: SealedLayer[];
	readonly #isDurable: boolean;
	readonly #onMerged: (upper: StagedLayer) => void;
	readonly #record: (lower: SealedLayer) => Promise<void>;
	#running: {readonly lower: SealedLayer; readonly ended: Promise<unknown>} | undefined;

	/** `onMerged` hears in the same turn of each layer that is in another now. */
	constructor(options: {
		sealed: SealedLayer[];
		isDurable: boolean;
		onMerged: (upper: StagedLayer) => void;
		record: (lower: SealedLayer) => Promise<void>;
	}) {
		this.#sealed = options.sealed;
		this.#isDurable = options.isDurable;
		this.#onMerged = options.onMerged;
		this.#record = options.record;
	}

	/** The oldest layer for its upload: after a merge into it that goes on, and before any other. */
	async claim(next: () => SealedLayer | undefined): Promise<SealedLayer | undefined> {
		while (this.#running !== undefined && this.#running.lower === next()) {
			await this.#running.ended;
		}

		const claimed = next();
		if (claimed !== undefined) {
			claimed.isClaimed = true;
		}

		return claimed;
	}

	/** Merges the newest layers as far as that is allowed and pays. One call at a time. */
	async run(): Promise<void> {
		for (let isMerged = true; isMerged; ) {
			const [lower, upper] = this.#sealed.slice(-2);
			if (lower === undefined || upper === undefined || !canMerge(lower, upper)) {
				return;
			}

			const merging = this.#merge(lower, upper);
			this.#running = {lower, ended: merging.catch(() => undefined)};
			try {
				isMerged = await merging;
			} finally {
				this.#running = undefined;
			}
		}
	}

	/** `false` when the disk did not take the bytes: the upper layer can still be recorded by itself. */
	async #merge(lower: SealedLayer, upper: SealedLayer): Promise<boolean> {
		const isDurable = this.#isDurable || lower.isDurable || upper.isDurable;
		const copies = await copyUpper(lower.layer, upper.layer, {isDurable});
		const index = this.#sealed.indexOf(upper);
		if (copies === undefined || index === -1) {
			return false; // All changes may have been dropped meanwhile.
		}

		lower.layer.absorb(upper.layer, copies);
		this.#sealed.splice(index, 1);
		lower.writeHash ??= toWriteHash(lower);
		lower.metadata = upper.metadata;
		lower.contentType = upper.contentType;
		lower.mergedId = upper.mergedId ?? upper.layer.id;
		lower.isWaitedFor ||= upper.isWaitedFor;
		lower.isDurable ||= upper.isDurable;
		this.#onMerged(upper.layer);
		if (lower === this.#sealed[0] && lower.recorded !== undefined) {
			// Its upload may be next. After a crash it would be uploaded once more as the old record has it: over more bytes.
			await this.#record(lower).catch(() => undefined); // Who seals tries again, and hears of it.
		}

		return true;
	}
}

/**
Whether the upper one of two neighbours may go into the lower one. What an upload has begun with stays as it is, and so
does what a caller waits for. A lower layer is recorded as a whole each time: it takes upper ones of the size that pays
for that, so that the work grows with the number of changes, and the number of layers with its logarithm.
*/
const canMerge = (lower: SealedLayer, upper: SealedLayer): boolean =>
	!lower.isClaimed &&
	!lower.mayBeStored &&
	!lower.isWaitedFor &&
	lower.begun === undefined &&
	lower.key === upper.key &&
	lower.layer.extentCount + upper.layer.extentCount <= extentCountMax &&
	lower.layer.extentCount <= Math.max(cheapExtentCount, 4 * upper.layer.extentCount);

const copyUpper = async (lower: StagedLayer, upper: StagedLayer, {isDurable}: {isDurable: boolean}) => {
	lower.pin();
	upper.pin();
	try {
		const copies = await lower.copyFrom(upper);
		if (isDurable) {
			await lower.sync(); // A record that fails over it would leave both layers in one that cannot be recorded.
		}

		return copies;
	} catch (error) {
		if (isFsError(error) || (error as NodeJS.ErrnoException).syscall !== undefined) {
			return undefined;
		}

		throw error;
	} finally {
		lower.unpin();
		upper.unpin();
	}
};

/** The record of so many extents is written in the time that the disk needs anyway. */
const cheapExtentCount = 1024;
