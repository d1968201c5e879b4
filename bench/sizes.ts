/** How much each workload does. */
export type Sizes = {
	/** The file of the streams and of the random reads. */
	readonly largeMebibytes: number;
	readonly smallFiles: number;
	/** In the directory that is listed. */
	readonly entries: number;
	readonly treeDirectories: number;
	readonly filesOfTreeDirectory: number;
	readonly randomReads: number;
	readonly statFiles: number;
	readonly renamedFiles: number;
	readonly removedFiles: number;
	readonly repositoryFiles: number;
	readonly archiveFiles: number;
	readonly appends: number;
	readonly copiedFiles: number;
};

/** What the figures of docs/PERFORMANCE.md are of. */
export const fullSizes: Sizes = {
	largeMebibytes: 1024,
	smallFiles: 500,
	entries: 10_000,
	treeDirectories: 100,
	filesOfTreeDirectory: 100,
	randomReads: 400,
	statFiles: 200,
	renamedFiles: 100,
	removedFiles: 1000,
	repositoryFiles: 300,
	archiveFiles: 3000,
	appends: 100,
	copiedFiles: 6400,
};

/** For `--quick`. */
export const quickSizes: Sizes = {
	largeMebibytes: 128,
	smallFiles: 32,
	entries: 1000,
	treeDirectories: 10,
	filesOfTreeDirectory: 30,
	randomReads: 80,
	statFiles: 40,
	renamedFiles: 20,
	removedFiles: 100,
	repositoryFiles: 30,
	archiveFiles: 60,
	appends: 20,
	copiedFiles: 64,
};

/** To try the benchmark itself; the figures say nothing. */
export const tinySizes: Sizes = {
	largeMebibytes: 16,
	smallFiles: 4,
	entries: 20,
	treeDirectories: 2,
	filesOfTreeDirectory: 3,
	randomReads: 8,
	statFiles: 4,
	renamedFiles: 3,
	removedFiles: 5,
	repositoryFiles: 4,
	archiveFiles: 6,
	appends: 3,
	copiedFiles: 6,
};
