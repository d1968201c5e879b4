import type {StagedLayer} from './staged-layer.ts';
import type {StagingArea} from './staging-area.ts';

/** Layers that S3 has, or that were merged into another: each is removed once the journal can do without it. */
export class NeedlessLayers {
	readonly #layers = new Set<StagedLayer>();
	readonly #staging: StagingArea;

	constructor(staging: StagingArea) {
		this.#staging = staging;
	}

	get layers(): StagedLayer[] {
		return [...this.#layers];
	}

	add(layer: StagedLayer): void {
		this.#layers.add(layer);
	}

	/**
	The records of all of these first, in their order: one that was merged must not outlast the one that it is in. The
	bytes of one that somebody reads from can wait for a later call, if there is to be one.
	*/
	async remove(layers: readonly StagedLayer[], {mayWait}: {mayWait: () => boolean}): Promise<void> {
		for (const layer of layers) {
			if (this.#layers.has(layer)) {
				await this.#staging.forget(layer);
			}
		}

		for (const layer of layers) {
			const canWait = layer.isPinned && mayWait();
			if (!canWait && this.#layers.delete(layer)) {
				await this.#staging.discard(layer);
			}
		}
	}
}
