import type {MetricLabels, MetricSamples, ValueSample} from '../../model/metric-samples.ts';
import type {AgentMetricName} from '../../observability/metric-table.ts';
import {PrometheusPage} from '../../observability/prometheus-page.ts';
import type {AgentSnapshot} from '../agent-snapshot.ts';
import {NoticeCounter} from './notice-counter.ts';
import {toVolumeSamples} from './volume-samples.ts';

/** One for the life of the agent: it counts the notices that it has seen. */
export class MetricsPage {
	readonly #now: () => number;
	readonly #page = new PrometheusPage();
	readonly #notices = new NoticeCounter();

	constructor({now = Date.now}: {readonly now?: () => number} = {}) {
		this.#now = now;
	}

	/** What Prometheus gets: everything in the snapshot, and what the agent itself costs. */
	async render(snapshot: AgentSnapshot): Promise<{readonly contentType: string; readonly body: string}> {
		const nowMs = this.#now();
		this.#notices.see(snapshot.notices);
		const volumes = (snapshot.report?.volumes ?? []).map(volume => toVolumeSamples(volume, nowMs));
		const agent = {counters: this.#notices.samples(), gauges: toAgentGauges(snapshot, nowMs), histograms: []};
		return this.#page.render(mergeSamples([...volumes, agent]));
	}
}

const toAgentGauges = (
	{version, nodeName, installation, report, problems}: AgentSnapshot,
	nowMs: number,
): ValueSample[] => {
	const gauge = (name: AgentMetricName, value: number, labels: MetricLabels = {}): ValueSample => ({
		name,
		labels,
		value,
	});
	return [
		gauge('pnx_volume_build_info', 1, {version, node: nodeName}),
		gauge('pnx_volume_agent_problems', problems.length),
		gauge('pnx_volume_installed_versions', installation?.versions.length ?? 0),
		...(report === undefined
			? []
			: [gauge('pnx_volume_watch_report_age_seconds', Math.max(0, (nowMs - report.atMs) / 1000))]),
	];
};

const mergeSamples = (all: readonly MetricSamples[]): MetricSamples => ({
	counters: all.flatMap(({counters}) => counters),
	gauges: all.flatMap(({gauges}) => gauges),
	histograms: all.flatMap(({histograms}) => histograms),
});
