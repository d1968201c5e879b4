import type {Workload} from './workload.ts';

/** The first reads of a cold file show what a miss costs; later ones would be served by the page cache. */
export const randcold: Workload = {
	name: 'randcold',
	what: 'the first random reads of 4 KiB in the large file, cold, by one process and by four',
	role: 'reads',
	needs: 'fio',
	fixture: 'large',
	metrics: ({randomReads}) => [
		{name: metricOf(randomReads, 1), unit: 'IOPS'},
		{name: metricOf(randomReads, 4), unit: 'IOPS'},
	],
	async run({top, sizes: {randomReads, largeMebibytes}, measure, makeCold}) {
		for (const jobs of [1, 4]) {
			await makeCold();
			await measure(
				metricOf(randomReads, jobs),
				[
					`fio --name=r --filename=${top}/large --rw=randread --bs=4k --ioengine=psync --direct=0 --invalidate=1`,
					`--number_ios=${Math.floor(randomReads / jobs)} --numjobs=${jobs} --group_reporting --randrepeat=0`,
					`--size=${largeMebibytes}M --output-format=json`,
				].join(' '),
				{read: readIops},
			);
		}
	},
};

const metricOf = (reads: number, jobs: number): string => `rand_first${reads}_4k_j${jobs}`;

/** What fio says of the reads, as JSON; it may print notes before it. */
export const readIops = (stdout: string): number => {
	const {jobs} = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {jobs: Array<{read: {iops: number}}>};
	const iops = jobs[0]?.read.iops;
	if (iops === undefined || !(iops > 0)) {
		throw new Error('fio reports no reads');
	}

	return iops;
};
