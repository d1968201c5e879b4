/** A reader of Prometheus's text format (0.0.4) that takes nothing but what the format's description allows. */

export type ParsedMetric = {
	readonly type: string;
	readonly help: string;
	readonly samples: ReadonlyArray<{
		readonly name: string;
		readonly labels: Readonly<Record<string, string>>;
		readonly value: number;
	}>;
};

type OpenMetric = {type: string | undefined; help: string; samples: Array<ParsedMetric['samples'][number]>};

/**
Throws with the line that is wrong: HELP and TYPE come before the samples, each series is there once, buckets are
cumulative.
*/
export const parsePrometheusText = (text: string): Map<string, ParsedMetric> => {
	if (!text.endsWith('\n')) {
		throw new SyntaxError('The last line does not end');
	}

	const metrics = new Map<string, OpenMetric>();
	const seen = new Set<string>();
	let current: {name: string; metric: OpenMetric} | undefined;
	for (const line of text.slice(0, -1).split('\n')) {
		if (line === '') {
			continue;
		}

		const help = /^# HELP ([a-zA-Z_:][\w:]*) ((?:[^\\]|\\\\|\\n)*)$/.exec(line);
		const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
		if (help !== null) {
			assert(!metrics.has(help[1]!), `Described twice: ${line}`);
			current = {name: help[1]!, metric: {type: undefined, help: help[2]!, samples: []}};
			metrics.set(current.name, current.metric);
		} else if (type !== null) {
			assert(
				current !== undefined && current.name === type[1] && current.metric.type === undefined,
				`TYPE without its HELP before it: ${line}`,
			);
			current.metric.type = type[2]!;
		} else {
			const sample = parseSample(line);
			assert(
				current?.metric.type !== undefined && isOf(sample.name, current.name, current.metric.type),
				`A sample that is not below its TYPE: ${line}`,
			);
			const id = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
			assert(!seen.has(id), `A series that is there twice: ${line}`);
			seen.add(id);
			current.metric.samples.push(sample);
		}
	}

	for (const [name, metric] of metrics) {
		if (metric.type === 'histogram') {
			assertHistogram(name, metric);
		}
	}

	return metrics as Map<string, ParsedMetric>;
};

const assert: (condition: boolean, message: string) => asserts condition = (condition, message) => {
	if (!condition) {
		throw new SyntaxError(message);
	}
};

const isOf = (sample: string, metric: string, type: string): boolean =>
	(type === 'histogram' ? ['_bucket', '_sum', '_count'] : type === 'summary' ? ['', '_sum', '_count'] : ['']).some(
		suffix => sample === metric + suffix,
	);

const parseSample = (line: string): ParsedMetric['samples'][number] => {
	const match =
		/^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\\\|\\"|\\n)*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/.exec(
			line,
		);
	assert(match !== null, `Not a sample: ${line}`);
	const labels: Record<string, string> = {};
	for (const [, name, value] of (match[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\\\|\\"|\\n)*)"/g)) {
		assert(labels[name!] === undefined, `A label that is there twice: ${line}`);
		labels[name!] = value!.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
	}

	return {
		name: match[1]!,
		labels,
		value: match[3] === '+Inf' ? Infinity : match[3] === '-Inf' ? -Infinity : Number(match[3]),
	};
};

const assertHistogram = (name: string, {samples}: OpenMetric): void => {
	const series = new Map<string, {buckets: Array<[number, number]>; sum?: number; count?: number}>();
	for (const sample of samples) {
		const {le, ...labels} = sample.labels;
		const id = JSON.stringify(Object.entries(labels).sort());
		const one = series.get(id) ?? {buckets: []};
		series.set(id, one);
		if (sample.name.endsWith('_bucket')) {
			assert(le !== undefined, `A bucket of ${name} without le`);
			one.buckets.push([le === '+Inf' ? Infinity : Number(le), sample.value]);
		} else if (sample.name.endsWith('_sum')) {
			one.sum = sample.value;
		} else {
			one.count = sample.value;
		}
	}

	for (const [id, {buckets, sum, count}] of series) {
		assert(sum !== undefined && count !== undefined, `${name}${id} has no sum or no count`);
		assert(
			buckets.every(
				([bound, value], index) => index === 0 || (bound > buckets[index - 1]![0] && value >= buckets[index - 1]![1]),
			),
			`The buckets of ${name}${id} are not cumulative`,
		);
		assert(
			buckets.at(-1)?.[0] === Infinity && buckets.at(-1)?.[1] === count,
			`The last bucket of ${name}${id} is not the count`,
		);
	}
};
