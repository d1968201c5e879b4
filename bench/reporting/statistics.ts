import type {Cell, Sample} from '../results.ts';

/** The middle one, or the mean of the two in the middle; `undefined` of none. */
export const median = (values: readonly number[]): number | undefined => {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle];
	const lower = sorted[sorted.length % 2 === 1 ? middle : middle - 1];
	return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
};

export type Summary = {
	readonly value: number;
	readonly cpuSeconds: number;
	/** The largest of all rounds. */
	readonly residentMebibytesPeak: number;
	readonly requests: number | undefined;
	readonly sentBytes: number | undefined;
	readonly receivedBytes: number | undefined;
	readonly chain: number | undefined;
	readonly rounds: number;
};

/** The median of each figure; `undefined` without samples. */
export const summarize = ({samples}: Pick<Cell, 'samples'>): Summary | undefined => {
	const of = (read: (sample: Sample) => number | undefined): number | undefined =>
		median(samples.map(read).filter(value => value !== undefined));
	const value = of(sample => sample.value);
	const cpuSeconds = of(sample => sample.cpuSeconds);
	return value === undefined || cpuSeconds === undefined
		? undefined
		: {
				value,
				cpuSeconds,
				residentMebibytesPeak: Math.max(...samples.map(sample => sample.residentMebibytesPeak)),
				requests: of(sample => sample.requests),
				sentBytes: of(sample => sample.sentBytes),
				receivedBytes: of(sample => sample.receivedBytes),
				chain: of(sample => sample.chain),
				rounds: samples.length,
			};
};
