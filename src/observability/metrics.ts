import assert from 'node:assert/strict';
import type {HistogramSample, MetricLabels, MetricSamples, ValueSample} from '../model/metric-samples.ts';
import type {Counter, Histogram, MetricSink} from '../model/metric-sink.ts';
import {metricTable, type DaemonMetricName, type MetricDefinition} from './metric-table.ts';

/** What is read when somebody asks, instead of being counted: gauges, and counters that another part keeps anyway. */
export type MetricReader = (add: (name: DaemonMetricName, value: number, labels?: MetricLabels) => void) => void;

/**
What one process counts. It is as light as it can be, as it lies in the way of every operation of the kernel: a
counter is an object with a number, a histogram an array of numbers. The Prometheus format is the agent's business.
*/
export class Metrics implements MetricSink {
	readonly #counters = new Map<string, ValueSample & Counter>();
	readonly #histograms = new Map<string, CountingHistogram>();
	readonly #readers: MetricReader[] = [];

	counter(name: string, labels: MetricLabels = {}): Counter {
		const id = idOf(name, labels);
		let counter = this.#counters.get(id);
		if (counter === undefined) {
			assertDefined(name, labels, 'counter');
			counter = {name, labels, value: 0};
			this.#counters.set(id, counter);
		}

		return counter;
	}

	histogram(name: string, labels: MetricLabels = {}): Histogram {
		const id = idOf(name, labels);
		let histogram = this.#histograms.get(id);
		if (histogram === undefined) {
			const {bounds} = assertDefined(name, labels, 'histogram');
			assert(bounds !== undefined, `The histogram ${name} has no bounds in the table of metrics`);
			histogram = new CountingHistogram(name, labels, bounds);
			this.#histograms.set(id, histogram);
		}

		return histogram;
	}

	/** Asked at every `samples()`. */
	addReader(reader: MetricReader): void {
		this.#readers.push(reader);
	}

	samples(): MetricSamples {
		const counters = [...this.#counters.values()].map(counter => ({...counter}));
		const gauges: ValueSample[] = [];
		for (const read of this.#readers) {
			read((name, value, labels = {}) => {
				const {kind} = assertDefined(name, labels);
				(kind === 'counter' ? counters : gauges).push({name, labels, value});
			});
		}

		return {counters, gauges, histograms: [...this.#histograms.values()].map(histogram => histogram.sample())};
	}
}

class CountingHistogram implements Histogram {
	readonly #name: string;
	readonly #labels: MetricLabels;
	readonly #bounds: readonly number[];
	readonly #bucketCounts: number[];
	#sum = 0;

	constructor(name: string, labels: MetricLabels, bounds: readonly number[]) {
		this.#name = name;
		this.#labels = labels;
		this.#bounds = bounds;
		this.#bucketCounts = Array.from({length: bounds.length + 1}, () => 0);
	}

	/** Buckets are few, and most values fall into the first ones: a plain search is the fastest. */
	observe(value: number): void {
		const bounds = this.#bounds;
		let index = 0;
		while (index < bounds.length && value > bounds[index]!) {
			// Below the length.
			index++;
		}

		this.#bucketCounts[index]!++; // There is one bucket more than bounds.
		this.#sum += value;
	}

	sample(): HistogramSample {
		return {
			name: this.#name,
			labels: this.#labels,
			bounds: this.#bounds,
			bucketCounts: [...this.#bucketCounts],
			sum: this.#sum,
		};
	}
}

const idOf = (name: string, labels: MetricLabels): string =>
	JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

const assertDefined = (name: string, labels: MetricLabels, kind?: MetricDefinition['kind']): MetricDefinition => {
	const definition = metricTable[name];
	assert(definition !== undefined, `The table of metrics has no ${name}`);
	assert(
		kind === undefined || definition.kind === kind,
		`${name} is a ${definition.kind} in the table of metrics, not a ${kind}`,
	);
	const hasItsLabels =
		Object.keys(labels).length === definition.labels.length &&
		definition.labels.every(label => labels[label] !== undefined);
	assert(hasItsLabels, `The labels of ${name} are not those of the table of metrics: ${definition.labels.join(', ')}`);
	return definition;
};
