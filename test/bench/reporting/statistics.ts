import test from 'ava';
import {median, summarize} from '../../../bench/reporting/statistics.ts';

test('the median is the middle value, or the mean of the two in the middle', t => {
	t.is(median([3, 1, 2]), 2);
	t.is(median([4, 1, 100, 2]), 3);
	t.is(median([5]), 5);
	t.is(median([]), undefined);
});

test('a summary has the median of each figure by itself, and the largest peak', t => {
	const samples = [
		{value: 1, cpuSeconds: 9, residentMebibytesPeak: 50, requests: 7, chain: 1},
		{value: 3, cpuSeconds: 8, residentMebibytesPeak: 70, requests: 6, chain: 2},
		{value: 2, cpuSeconds: 7, residentMebibytesPeak: 60, requests: 5, chain: 3},
	];
	t.deepEqual(summarize({samples}), {
		value: 2,
		cpuSeconds: 8,
		residentMebibytesPeak: 70,
		requests: 6,
		sentBytes: undefined,
		receivedBytes: undefined,
		chain: 2,
		rounds: 3,
	});
	t.is(summarize({samples: []}), undefined);
});
