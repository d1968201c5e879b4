import type {ObjectHead} from '../store/object-store.ts';
import type {ContentWriter} from './content-writer.ts';
import {EarlyUpload} from './early-upload.ts';
import type {LayerStack} from './layer-stack.ts';
import type {NotedUploads} from './noted-uploads.ts';
import type {SealTarget} from './sealed-layer.ts';
import type {StagedLayer} from './staged-layer.ts';
import {toWriteHash, toWriteId} from './write-id.ts';

/** A file that is written. */
export type WrittenFile = {
	readonly layers: LayerStack;
	/** What its changes are to become, as far as that is known now. */
	readonly target: SealTarget;
	/** Nothing of it is to reach S3 any more. */
	readonly isUnlinked: boolean;
};

/**
Begins uploads while files are written: of those that are written from their start on, once they are so large that their
metadata says nothing of their bytes. It has to be sent before them.
*/
export class EarlyUploads {
	readonly #writer: ContentWriter;
	readonly #uploads: NotedUploads;
	/** The layers that were large enough. */
	readonly #seen = new WeakSet<StagedLayer>();
	/** So many of the next large files are uploaded when they are closed. */
	#skipCount = 0;

	constructor(options: {writer: ContentWriter; uploads: NotedUploads}) {
		this.#writer = options.writer;
		this.#uploads = options.uploads;
	}

	/** Bytes were written. To be called exclusively, as changes of the file are. */
	advance(file: WrittenFile): void {
		const {layers} = file;
		const layer = layers.wholeLayer;
		if (layer === undefined || layer.sizeBytes <= this.#writer.summedBytesMax || file.isUnlinked) {
			return;
		}

		if (!this.#seen.has(layer)) {
			this.#seen.add(layer);
			if (this.#skipCount > 0) {
				this.#skipCount--;
				return;
			}

			layers.begin(this.#create(layer, layers.base, file.target));
		}

		layers.begun?.advance();
	}

	#create(layer: StagedLayer, base: ObjectHead | undefined, {key, metadata, contentType}: SealTarget): EarlyUpload {
		const writeHash = toWriteHash({key, layer, metadata, sealedAtMs: Date.now(), writeHash: undefined});
		const writeId = toWriteId({key, layer, base, metadata, contentType, writeHash}, layer.appendedFrom);
		return new EarlyUpload({
			key,
			layer,
			writeHash,
			attributes: {metadata, contentType, writeId, keptWriteIds: base?.writeIds ?? []},
			writer: this.#writer,
			uploads: this.#uploads,
			onWasted: () => {
				// As `tar x` does: it sets the times of each file at the end.
				this.#skipCount = skipCountAfterWaste;
			},
		});
	}
}

const skipCountAfterWaste = 4;
