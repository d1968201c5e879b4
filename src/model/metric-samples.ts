/**
What a process counted since it started, as plain values: a daemon answers with it on its control socket, and the
agent turns it into the Prometheus format. Names, help and labels stand in one table,
`observability/metric-table.ts`; the process that reads the samples may be of another version than the one that
wrote them, so it passes over names that its table does not have.
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
	/**
	The upper bounds of the buckets, ascending; without the last one, which is infinite. Here because other versions
	may have others.
	*/
	readonly bounds: readonly number[];
	/** How many observations fell into each bucket, not cumulative; one more than there are bounds. */
	readonly bucketCounts: readonly number[];
	readonly sum: number;
};

/** What another process said, or `undefined` when it is nothing that can be understood. */
export const parseMetricSamples = (value: unknown): MetricSamples | undefined => {
	if (!isRecord(value)) {
		return undefined;
	}

	const {counters, gauges, histograms} = value;
	return isListOf(counters, isValueSample) && isListOf(gauges, isValueSample) && isListOf(histograms, isHistogramSample)
		? {counters, gauges, histograms}
		: undefined;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

const isListOf = <Item>(value: unknown, isItem: (item: unknown) => item is Item): value is Item[] =>
	Array.isArray(value) && value.every(isItem);

const isNumber = (value: unknown): value is number => typeof value === 'number';

const isLabels = (value: unknown): value is MetricLabels =>
	isRecord(value) && Object.values(value).every(label => typeof label === 'string');

const isValueSample = (value: unknown): value is ValueSample =>
	isRecord(value) && typeof value['name'] === 'string' && isLabels(value['labels']) && isNumber(value['value']);

const isHistogramSample = (value: unknown): value is HistogramSample =>
	isRecord(value) &&
	typeof value['name'] === 'string' &&
	isLabels(value['labels']) &&
	isNumber(value['sum']) &&
	isListOf(value['bounds'], isNumber) &&
	isListOf(value['bucketCounts'], isNumber) &&
	value['bucketCounts'].length === value['bounds'].length + 1;
