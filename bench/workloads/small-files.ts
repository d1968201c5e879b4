import type {Workload} from './workload.ts';

/** Small files written by one process and by eight. */
const createFiles = (kibibytes: 4 | 128): Workload => {
	const name = `create${kibibytes}k`;
	const metric = `create_${kibibytes}k`;
	return {
		name,
		what: `new files of ${kibibytes} KiB, written by one process and by eight`,
		role: 'writes',
		metrics: () => [
			{name: metric, unit: 'files/s', isWrite: true},
			{name: `${metric}_p8`, unit: 'files/s', isWrite: true},
		],
		async run({directory, sizes, local, measure, prepare}) {
			const source = await local.random(kibibytes * 1024);
			const amount = sizes.smallFiles;
			await prepare(`mkdir ${directory}/a ${directory}/b`);
			await measure(metric, `for ((i = 0; i < ${amount}; i++)); do cat ${source} >${directory}/a/f$i; done`, {amount});
			const worker = `'for i; do cat ${source} >${directory}/b/f$i || exit 255; done' sh`;
			await measure(`${metric}_p8`, `seq ${amount} | xargs -P 8 -n ${perWorker(amount)} sh -c ${worker}`, {amount});
		},
	};
};

/** Small files read by one process and by eight. */
const readFiles = (kibibytes: 4 | 128): Workload => {
	const metric = `read_${kibibytes}k_cold`;
	return {
		name: `read${kibibytes}k`,
		what: `files of ${kibibytes} KiB, read cold by one process and by eight`,
		role: 'reads',
		fixture: `small ${kibibytes}k`,
		metrics: () => [
			{name: metric, unit: 'files/s'},
			{name: `${metric}_p8`, unit: 'files/s'},
		],
		async run({top, sizes, measure, makeCold}) {
			const amount = sizes.smallFiles;
			const files = `${top}/small-${kibibytes}k`;
			const isAll = `[ $(cat) = ${amount * kibibytes * 1024} ]`;
			await measure(metric, `cat ${files}/f* | wc -c | ${isAll}`, {amount});
			await makeCold();
			const names = `for ((i = 0; i < ${amount}; i++)); do echo ${files}/f$i; done`;
			await measure(`${metric}_p8`, `${names} | xargs -P 8 -n ${perWorker(amount)} cat | wc -c | ${isAll}`, {amount});
		},
	};
};

/** Files for each of the programs that eight workers start: 16, or fewer where each would not get any. */
const perWorker = (files: number): number => Math.max(1, Math.min(16, Math.floor(files / 8)));

export const create4k = createFiles(4);
export const create128k = createFiles(128);
export const read4k = readFiles(4);
export const read128k = readFiles(128);
