import type {MetricLabels, MetricSamples, ValueSample} from '../../model/metric-samples.ts';
import type {AgentMetricName} from '../../observability/metric-table.ts';
import {createPrometheusPage} from '../../observability/prometheus-page.ts';
import type {AgentSnapshot} from '../agent-snapshot.ts';
import {NoticeCounter} from './notice-counter.ts';
import {toVolumeSamples} from './volume-samples.ts';

export type MetricsPage = {
	/** What Prometheus gets: everything in the snapshot, and what the agent itself costs. */
	render(snapshot: AgentSnapshot): Promise<{readonly contentType: string; readonly body: string}>;
};

/** One for the life of the agent: it counts the notices that it has seen. */
export const createMetricsPage = ({now = Date.now}: {readonly now?: () => number} = {}): MetricsPage => {
	const page = createPrometheusPage();
	const notices = new NoticeCounter();
	return {
		async render(snapshot) {
			const nowMs = now();
			notices.see(snapshot.notices);
			const volumes = (snapshot.report?.volumes ?? []).map(volume => toVolumeSamples(volume, nowMs));
			return page.render(
				mergeSamples([
					...volumes,
					{counters: notices.samples(), gauges: toAgentGauges(snapshot, nowMs), histograms: []},
				]),
			);
		},
	};
};

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
