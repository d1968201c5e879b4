import test from 'ava';
import {parseUsage} from '../../../bench/subjects/mounted-process.ts';

test('CPU and peak are read behind any name of a program', t => {
	const stat = `123 (a ) b (c)) S ${Array.from({length: 49}, (_, index) => index + 4).join(' ')}`;
	const status = 'Name:\ta\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n';
	t.deepEqual(parseUsage(stat, status), {cpuSeconds: 0.29, residentMebibytesPeak: 2}); // utime 14 and stime 15.
});
