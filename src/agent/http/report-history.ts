import type {WatchReport} from '../../healing/watch-message.ts';
import type {SampledMetrics} from '../../node/volumes/volume-statistics.ts';

/** The last two reports of the watch: what changed between them is throughput. */
export class ReportHistory {
	#newest: WatchReport | undefined;
	#earlier: WatchReport | undefined;

	/** Takes what is the newest report now; the same one may be given again and again. */
	note(report: WatchReport | undefined): void {
		if (report !== undefined && report.atMs !== this.#newest?.atMs) {
			this.#earlier = this.#newest;
			this.#newest = report;
		}
	}

	/** What a volume had counted at the time of the report before the newest. */
	earlierOf(volumeId: string): SampledMetrics | undefined {
		const metrics = this.#earlier?.volumes.find(volume => volume.volumeId === volumeId)?.metrics;
		return metrics === undefined || this.#earlier === undefined ? undefined : {atMs: this.#earlier.atMs, metrics};
	}
}
