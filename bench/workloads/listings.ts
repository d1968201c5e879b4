import type {Workload} from './workload.ts';

/** Of objects that other S3 tools have made. */
export const lsbig: Workload = {
	name: 'lsbig',
	what: '`ls -l` of a large directory, cold, again, and after a restart of the process; `ls -f`, cold',
	role: 'lists',
	sharedFixture: 'big directory',
	metrics: ({entries}) => [
		{name: `ls_l_${entries}_cold`, unit: 's'},
		{name: `ls_l_${entries}_warm`, unit: 's'},
		{name: `ls_l_${entries}_restart`, unit: 's'},
		{name: `ls_f_${entries}_cold`, unit: 's'},
	],
	async run({top, sizes: {entries}, measure, makeCold, restart}) {
		const list = `[ $(ls -l ${top}/bigdir | wc -l) = ${entries + 1} ]`;
		await measure(`ls_l_${entries}_cold`, list);
		await measure(`ls_l_${entries}_warm`, list);
		await restart();
		await measure(`ls_l_${entries}_restart`, list);
		await makeCold();
		// Not everybody lists `.` and `..`.
		await measure(`ls_f_${entries}_cold`, `[ $(ls -f ${top}/bigdir | grep -c ^f) = ${entries} ]`);
	},
};

export const find: Workload = {
	name: 'find',
	what: '`find -type f -size` of a tree, cold, again, and after a restart of the process',
	role: 'lists',
	sharedFixture: 'tree',
	metrics: sizes => [
		{name: `find_${shapeOf(sizes)}_cold`, unit: 's'},
		{name: `find_${shapeOf(sizes)}_warm`, unit: 's'},
		{name: `find_${shapeOf(sizes)}_restart`, unit: 's'},
	],
	async run({top, sizes, measure, restart}) {
		const count = sizes.treeDirectories * sizes.filesOfTreeDirectory;
		const walk = `[ $(find ${top}/tree -type f -size -100000k | wc -l) = ${count} ]`;
		await measure(`find_${shapeOf(sizes)}_cold`, walk);
		await measure(`find_${shapeOf(sizes)}_warm`, walk);
		await restart();
		await measure(`find_${shapeOf(sizes)}_restart`, walk);
	},
};

const shapeOf = (sizes: {treeDirectories: number; filesOfTreeDirectory: number}): string =>
	`${sizes.treeDirectories}x${sizes.filesOfTreeDirectory}`;

export const stat: Workload = {
	name: 'stat',
	what: '`stat` of names that exist, and of names that do not',
	role: 'lists',
	sharedFixture: 'stat',
	metrics: () => [
		{name: 'stat_cold', unit: 'ops/s'},
		{name: 'stat_missing', unit: 'ops/s'},
	],
	async run({top, sizes: {statFiles: amount}, measure, makeCold}) {
		const names = (prefix: string): string => `seq -f ${top}/st/${prefix}%05.0f 0 ${amount - 1}`;
		await measure('stat_cold', `[ $(${names('f')} | xargs stat -c %s | wc -l) = ${amount} ]`, {amount});
		await makeCold();
		await measure('stat_missing', `[ $({ ${names('missing')} | xargs stat 2>&1 || true; } | wc -l) = ${amount} ]`, {
			amount,
		});
	},
};
