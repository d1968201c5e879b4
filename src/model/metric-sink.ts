import type {MetricLabels} from './metric-samples.ts';

/** A number that only grows. Ask for it once, then `counter.value += 1`: that is all it costs. */
export type Counter = {value: number};

export type Histogram = {readonly observe: (value: number) => void};

/**
Where the parts of a process count what they do. Names and labels are those of `observability/metric-table.ts`; the
same name and labels give the same counter. Keep what it returns: a look-up for each operation would cost more than
the counting.
*/
export interface MetricSink {
	counter(name: string, labels?: MetricLabels): Counter;
	histogram(name: string, labels?: MetricLabels): Histogram;
}

/** Discards everything. The default in tests. */
export const noMetrics: MetricSink = {
	counter: () => ({value: 0}),
	histogram: () => ({observe: () => undefined}),
};
