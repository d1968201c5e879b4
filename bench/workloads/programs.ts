import type {Workload} from './workload.ts';

export const git: Workload = {
	name: 'git',
	what: '`git clone` of a local repository; `git status` and `git fsck` in it',
	role: 'writes',
	needs: 'git',
	metrics: () => [
		{name: 'git_clone', unit: 's', isWrite: true},
		{name: 'git_status_fsck', unit: 's'},
	],
	async run({directory, sizes, local, measure}) {
		const repository = await local.repository(sizes.repositoryFiles);
		await measure('git_clone', `git clone -q ${repository} ${directory}/g`);
		await measure(
			'git_status_fsck',
			`cd ${directory}/g && [ -z "$(git status --porcelain)" ] && git fsck --no-progress`,
		);
	},
};

export const tar: Workload = {
	name: 'tar',
	what: '`tar x` of small files, like a tree of npm packages',
	role: 'writes',
	metrics: ({archiveFiles}) => [{name: `tar_x_${archiveFiles}`, unit: 's', isWrite: true}],
	async run({directory, sizes: {archiveFiles}, local, measure}) {
		await measure(`tar_x_${archiveFiles}`, `tar -C ${directory} -xf ${await local.archive(archiveFiles)}`);
	},
};

export const cp: Workload = {
	name: 'cp',
	what: '`cp -r` of small files of 0.5 to 300 KB from local disk',
	role: 'writes',
	metrics: ({copiedFiles}) => [{name: `cp_r_${copiedFiles}`, unit: 's', isWrite: true}],
	async run({directory, sizes: {copiedFiles}, local, measure}) {
		await measure(`cp_r_${copiedFiles}`, `cp -r ${await local.tree(copiedFiles)} ${directory}/copy`);
	},
};

export const append: Workload = {
	name: 'append',
	what: 'a line appended to a file again and again, each with an open() and a close() of its own',
	role: 'writes',
	metrics: ({appends}) => [{name: `append_${appends}`, unit: 'ops/s', isWrite: true}],
	async run({directory, sizes: {appends}, measure}) {
		const file = `${directory}/log`;
		await measure(
			`append_${appends}`,
			`for ((i = 0; i < ${appends}; i++)); do echo line$i >>${file}; done; [ $(wc -l <${file}) = ${appends} ]`,
			{amount: appends},
		);
	},
};
