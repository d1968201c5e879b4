import {execa} from 'execa';

/** One measurement: better when `isHigherBetter` says so. */
export type Measurement = {
	readonly name: string;
	readonly unit: string;
	readonly value: number;
	readonly isHigherBetter: boolean;
	readonly floor?: number;
};

export type Subject = {
	readonly name: string;
	/** An empty directory of the mount, which the workload may fill. */
	readonly directory: string;
	/** Makes the next read cold: a new process without any cache, and an empty page cache. */
	readonly makeCold: () => Promise<void>;
};

export type Workload = {
	readonly name: string;
	readonly run: (subject: Subject, size: WorkloadSize) => Promise<Measurement[]>;
};

export type WorkloadSize = {readonly largeMebibytes: number; readonly smallFileCount: number};

/**
Runs a shell script in a process of its own, as no process may block on its own mount, and gives the seconds that it
took.
*/
const seconds = async (script: string): Promise<number> => {
	const startedAt = performance.now();
	await execa('sh', ['-ec', script], {timeout: 600_000});
	return (performance.now() - startedAt) / 1000;
};

const megabytesPerSecond = (mebibytes: number, duration: number): number => (mebibytes * 1.048_576) / duration;

/** The workloads on which file systems over S3 are compared. */
export const workloads: readonly Workload[] = [
	{
		name: 'sequential',
		async run({directory, makeCold}, {largeMebibytes}) {
			const file = `${directory}/large`;
			const write = await seconds(`dd if=/dev/zero of=${file} bs=1M count=${largeMebibytes} conv=fsync 2>/dev/null`);
			await makeCold();
			const cold = await seconds(`dd if=${file} of=/dev/null bs=1M 2>/dev/null`);
			const warm = await seconds(`dd if=${file} of=/dev/null bs=1M 2>/dev/null`);
			await makeCold();
			const firstByte = await seconds(`head -c 1 ${file} >/dev/null`);
			await seconds(`rm ${file}`);
			return [
				{
					name: 'write with fsync',
					unit: 'MB/s',
					value: megabytesPerSecond(largeMebibytes, write),
					isHigherBetter: true,
					floor: 120,
				},
				{
					name: 'cold read',
					unit: 'MB/s',
					value: megabytesPerSecond(largeMebibytes, cold),
					isHigherBetter: true,
					floor: 250,
				},
				{
					name: 'warm re-read',
					unit: 'MB/s',
					value: megabytesPerSecond(largeMebibytes, warm),
					isHigherBetter: true,
					floor: 2000,
				},
				{name: 'first byte', unit: 'ms', value: firstByte * 1000, isHigherBetter: false},
			];
		},
	},
	{
		name: 'small files',
		async run({directory, makeCold}, {smallFileCount}) {
			const create = await seconds(
				`mkdir ${directory}/small; head -c 4096 /dev/urandom >/tmp/bench-source.$$; i=0; while [ $i -lt ${smallFileCount} ]; do cat /tmp/bench-source.$$ >${directory}/small/f$i; i=$((i+1)); done; rm /tmp/bench-source.$$`,
			);
			await makeCold();
			const read = await seconds(`cat ${directory}/small/f* | wc -c`);
			const remove = await seconds(`rm -r ${directory}/small`);
			return [
				{name: 'create 4 KiB files', unit: 'files/s', value: smallFileCount / create, isHigherBetter: true, floor: 150},
				{name: 'read 4 KiB files, cold', unit: 'files/s', value: smallFileCount / read, isHigherBetter: true},
				{name: 'delete files', unit: 'files/s', value: smallFileCount / remove, isHigherBetter: true},
			];
		},
	},
	{
		name: 'tree',
		async run({directory}, {smallFileCount}) {
			await seconds(
				`mkdir ${directory}/tree; i=0; while [ $i -lt ${smallFileCount} ]; do echo $i >${directory}/tree/f$i; i=$((i+1)); done`,
			);
			const rename = await seconds(`mv ${directory}/tree ${directory}/renamed`);
			await seconds(`rm -r ${directory}/renamed`);
			return [
				{
					name: 'rename a directory of small files',
					unit: 'files/s',
					value: smallFileCount / rename,
					isHigherBetter: true,
				},
			];
		},
	},
];

/** `ls -l` of a directory that other S3 tools filled. */
export const listLarge = async ({directory, makeCold}: Subject, entryCount: number): Promise<Measurement[]> => {
	await makeCold();
	const list = await seconds(`[ "$(ls -l ${directory} | wc -l)" = ${entryCount + 1} ]`);
	return [{name: `ls -l of ${entryCount} objects, uniform`, unit: 's', value: list, isHigherBetter: false, floor: 2}];
};
