import {collectDefaultMetrics, Gauge, Registry, type MetricType} from 'prom-client';
import type {HistogramSample, MetricLabels, MetricSamples} from '../model/metric-samples.ts';
import {metricTable, type MetricDefinition} from './metric-table.ts';

/** One line of the page: `metricName` differs from the metric's own name for the parts of a histogram. */
type Line = {readonly metricName?: string; readonly labels: MetricLabels; readonly value: number};

/** No number at all, or a huge one, before the first delay was measured. */
const meaninglessAtStart = ['mean', 'stddev', 'min'] as const;

/** Samples in Prometheus's text format, together with what this process costs under `pnx_volume_agent_`. */
export class PrometheusPage {
	readonly #ownProcess = new Registry();

	constructor() {
		const register = this.#ownProcess;
		collectDefaultMetrics({register, prefix: 'pnx_volume_agent_', eventLoopMonitoringPrecision: 100});
		for (const name of meaninglessAtStart) {
			register.removeSingleMetric(`pnx_volume_agent_nodejs_eventloop_lag_${name}_seconds`);
		}
	}

	/** Samples of names that the table does not have are left out: they are of a newer version. */
	async render(samples: MetricSamples): Promise<{readonly contentType: string; readonly body: string}> {
		// A registry for each page: what was there once and is gone, such as the volume of a pod that ended, leaves
		// nothing behind.
		const registry = new Registry();
		for (const [name, lines] of groupByName(samples)) {
			const definition = metricTable[name];
			if (definition !== undefined) {
				registerLines(registry, name, definition, lines);
			}
		}

		const page = Registry.merge([registry, this.#ownProcess]);
		return {contentType: page.contentType, body: await page.metrics()};
	}
}

const groupByName = ({counters, gauges, histograms}: MetricSamples): Map<string, Line[]> => {
	const groups = new Map<string, Line[]>();
	const linesOf = (name: string): Line[] => {
		let lines = groups.get(name);
		if (lines === undefined) {
			lines = [];
			groups.set(name, lines);
		}

		return lines;
	};

	for (const {name, labels, value} of counters) {
		linesOf(name).push({labels, value});
	}

	for (const {name, labels, value} of gauges) {
		linesOf(name).push({labels, value});
	}

	for (const histogram of histograms) {
		pushHistogram(linesOf(histogram.name), histogram);
	}

	return groups;
};

/** Buckets count what lies at or below their bound: each has all the ones before it. */
const pushHistogram = (lines: Line[], {name, labels, bounds, bucketCounts, sum}: HistogramSample): void => {
	let count = 0;
	for (const [index, bucketCount] of bucketCounts.entries()) {
		count += bucketCount;
		const bound = bounds[index];
		lines.push({
			metricName: `${name}_bucket`,
			labels: {...labels, le: bound === undefined ? '+Inf' : String(bound)},
			value: count,
		});
	}

	lines.push({metricName: `${name}_sum`, labels, value: sum}, {metricName: `${name}_count`, labels, value: count});
};

/**
A metric of prom-client that holds nothing itself and gives the registry our lines: its own counters can be set only
by adding to them, and its histograms only by observing. Its types number the kinds of metrics; at run time they are
words.
*/
const registerLines = (registry: Registry, name: string, {kind, help}: MetricDefinition, values: Line[]): void => {
	const metric = new Gauge({name, help, registers: [registry]});
	const type = kind as unknown as MetricType;
	metric.get = async () => ({name, help, type, aggregator: 'sum', collect: () => undefined, values});
};
