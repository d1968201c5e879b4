import {metricTable, volumeLabels} from '../../../../src/observability/metric-table.ts';

/** What a scrape adds: the target's labels, and those of the samples themselves. */
const addedLabels: readonly string[] = ['node', 'instance', 'job', 'le', '__name__'];

/** prom-client's own, about the process of the agent. */
const processPrefix = 'pnx_volume_agent_process_';

/** The definition that a name in an expression stands for: also those of the parts of a histogram. */
const findDefinition = (name: string) => {
	const direct = metricTable[name];
	if (direct !== undefined) {
		return direct.kind === 'histogram' ? undefined : direct;
	}

	const histogram = metricTable[name.replace(/_(?:bucket|sum|count)$/, '')];
	return histogram?.kind === 'histogram' ? histogram : undefined;
};

/** What is wrong with the names of metrics and labels in an expression; its grammar is Prometheus's business. */
export const findWrongNames = (expression: string): string[] => {
	const wrong: string[] = [];
	for (const [, name = '', matchers = ''] of expression.matchAll(/\b(pnx_volume_[a-z\d_]+)(?:\{([^}]*)\})?/g)) {
		const definition = findDefinition(name);
		if (definition === undefined) {
			if (!name.startsWith(processPrefix)) {
				wrong.push(`there is no ${name}`);
			}

			continue;
		}

		const known = [...definition.labels, ...(definition.scope === 'volume' ? volumeLabels : []), ...addedLabels];
		for (const [, label = ''] of matchers.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)) {
			if (!known.includes(label)) {
				wrong.push(`${name} has no label ${label}`);
			}
		}
	}

	return wrong;
};

/** Whether the expression has to do with us at all. */
export const hasOurMetric = (expression: string): boolean => /\bpnx_volume_[a-z]/.test(expression);
