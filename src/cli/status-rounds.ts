import {askMetrics} from '../node/launch/control-client.ts';
import {createDeadline} from '../node/deadline.ts';
import {listVolumes, type VolumeReport} from '../node/volumes/list-volumes.ts';
import {toVolumeStatistics, type SampledMetrics} from '../node/volumes/volume-statistics.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import type {StatusRow} from './status-table.ts';

const refreshMs = 1000;

/** Looks at the volumes of a node again and again, and makes rates of what changed between the last two looks. */
export class StatusRounds {
	readonly #stateDirectory: string;
	readonly #earlier = new Map<string, SampledMetrics>();
	#volumes: readonly VolumeReport[] = [];
	#atMs = 0;

	constructor(stateDirectory: string) {
		this.#stateDirectory = stateDirectory;
	}

	async next(): Promise<StatusRow[]> {
		this.#remember();
		this.#volumes = await listVolumes(this.#stateDirectory);
		this.#atMs = performance.now();
		return this.rows();
	}

	/** Asks the daemons that have just answered for their counters, and no others. */
	async refreshMetrics(): Promise<void> {
		this.#remember();
		const deadline = createDeadline(refreshMs);
		this.#volumes = await Promise.all(
			this.#volumes.map(async volume =>
				volume.metrics === undefined
					? volume
					: {...volume, metrics: await askMetrics(volumePaths(this.#stateDirectory, volume.volumeId).socket, deadline)},
			),
		);
		this.#atMs = performance.now();
	}

	rows(): StatusRow[] {
		return this.#volumes.map(volume => ({
			volume,
			figures: toVolumeStatistics(volume, this.#atMs, this.#earlier.get(volume.volumeId)),
		}));
	}

	#remember(): void {
		this.#earlier.clear();
		for (const {volumeId, metrics} of this.#volumes) {
			if (metrics !== undefined) {
				this.#earlier.set(volumeId, {atMs: this.#atMs, metrics});
			}
		}
	}
}
