import {formatValue} from './reporting/format-value.ts';
import {rowName, type Row} from './results.ts';

/** Shows what is being done, and each figure as it comes. */
export class Progress {
	readonly #startedMs = performance.now();
	readonly #total: number;
	#count = 0;

	constructor(total: number) {
		this.#total = total;
	}

	/** The next of all steps begins. */
	step(text: string): void {
		this.#count++;
		console.log(`[${this.#count}/${this.#total}, ${formatMinutes(performance.now() - this.#startedMs)}] ${text}`);
	}

	note(text: string): void {
		console.log(`    ${text}`);
	}

	/** The newest samples of these rows. */
	figures(rows: readonly Row[], subject: string): void {
		for (const row of rows) {
			const cell = row.cells.find(each => each.subject === subject);
			const sample = cell?.samples.at(-1);
			if (sample !== undefined) {
				const requests = sample.requests === undefined ? '' : `, ${sample.requests} requests, chain ${sample.chain}`;
				this.note(
					`${rowName(row).padEnd(28)} ${formatValue(sample.value)} ${row.metric.unit} (CPU ${formatValue(sample.cpuSeconds)} s, ${Math.round(sample.residentMebibytesPeak)} MiB${requests})`,
				);
			}

			if (cell?.failed !== undefined) {
				this.note(`${rowName(row).padEnd(28)} failed: ${cell.failed}`);
			}
		}
	}
}

const formatMinutes = (ms: number): string => {
	const seconds = Math.floor(ms / 1000);
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};
