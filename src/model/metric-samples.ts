/**
What a process counted since it started, as plain values: a daemon answers with it on its control socket, and the agent turns it
into the Prometheus format. Names, help and bucket bounds stand in one table, `observability/metric-table.ts`.
*/
export type MetricSamples = {
	readonly counters: readonly ValueSample[];
	readonly gauges: readonly ValueSample[];
	readonly histograms: readonly HistogramSample[];
};

export type MetricLabels = Readonly<Record<string, string>>;

export type ValueSample = {readonly name: string; readonly labels: MetricLabels; readonly value: number};

export type HistogramSample = {
	readonly name: string;
	readonly labels: MetricLabels;
	/** How many observations fell into each bucket of the table, not cumulative; the last one has those above every bound. */
	readonly bucketCounts: readonly number[];
	readonly sum: number;
};
