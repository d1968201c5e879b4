import type {Workload} from './workload.ts';

export const rename: Workload = {
	name: 'rename',
	what: '`mv` of a directory of small files',
	role: 'writes',
	metrics: ({renamedFiles}) => [{name: `rename_dir_${renamedFiles}`, unit: 's', isWrite: true}],
	async run({sizes: {renamedFiles}, directory, fill, measure}) {
		const from = await fill('from', renamedFiles);
		await measure(
			`rename_dir_${renamedFiles}`,
			`mv ${from} ${directory}/to && [ $(ls ${directory}/to | wc -l) = ${renamedFiles} ]`,
		);
	},
};

export const rm: Workload = {
	name: 'rm',
	what: '`rm -r` of a directory of small files',
	role: 'writes',
	metrics: ({removedFiles}) => [{name: `rm_r_${removedFiles}`, unit: 's', isWrite: true}],
	async run({sizes: {removedFiles}, fill, measure}) {
		const directory = await fill('removed', removedFiles);
		await measure(`rm_r_${removedFiles}`, `rm -r ${directory}`);
	},
};
