import type {Metric} from './workloads/workload.ts';

/** One measurement of one metric. */
export type Sample = {
	/** In the unit of the metric. */
	readonly value: number;
	/** Of the process that serves the mount. */
	readonly cpuSeconds: number;
	readonly residentMebibytesPeak: number;
	/** At the server, as the proxy before it counted; absent where there is no proxy. */
	readonly requests?: number;
	readonly sentBytes?: number;
	readonly receivedBytes?: number;
	readonly chain?: number;
};

/** Until the command returned, or until S3 had everything. */
export type Stretch = 'returned' | 'uploaded';

export type Cell = {
	readonly subject: string;
	readonly samples: readonly Sample[];
	/** Why there are no more samples. */
	readonly failed?: string;
	/** What the value would be, had it ended at the bound that it exceeded; it is worse than this. */
	readonly bound?: number;
};

export type Row = {
	readonly latencyMs: number | undefined;
	readonly workload: string;
	readonly metric: Metric;
	readonly stretch: Stretch;
	readonly cells: readonly Cell[];
};

/** Where a sample belongs. */
export type ResultPlace = {
	readonly latencyMs: number | undefined;
	readonly workload: string;
	readonly metric: Metric;
	readonly stretch: Stretch;
	readonly subject: string;
};

type OpenRow = Omit<Row, 'cells'> & {
	readonly cells: Array<{-readonly [Key in keyof Cell]: Cell[Key]} & {samples: Sample[]}>;
};

/** The rows of a report, in the order in which they were begun. */
export class Results {
	readonly #rows = new Map<string, OpenRow>();

	add(place: ResultPlace, sample: Sample): void {
		this.#cell(place).samples.push(sample);
	}

	/** The first reason stays. */
	fail(place: ResultPlace, reason: string, bound?: number): void {
		const cell = this.#cell(place);
		cell.failed ??= reason;
		if (bound !== undefined) {
			cell.bound ??= bound;
		}
	}

	rows(): readonly Row[] {
		return [...this.#rows.values()];
	}

	#cell({subject, ...row}: ResultPlace): OpenRow['cells'][number] {
		const key = JSON.stringify([row.latencyMs, row.metric.name, row.stretch]);
		const open: OpenRow = this.#rows.get(key) ?? {...row, cells: []};
		this.#rows.set(key, open);
		const found = open.cells.find(cell => cell.subject === subject);
		if (found !== undefined) {
			return found;
		}

		const cell = {subject, samples: []};
		open.cells.push(cell);
		return cell;
	}
}

/** The stretches that a metric is measured in. */
export const stretchesOf = (metric: Metric): readonly Stretch[] =>
	metric.isWrite === true ? ['returned', 'uploaded'] : ['returned'];

/** As reports call it. */
export const rowName = ({metric, stretch}: Pick<Row, 'metric' | 'stretch'>): string =>
	stretch === 'uploaded' ? `${metric.name}_flushed` : metric.name;
