import type {LocalFiles} from './local-files.ts';
import type {Sizes} from '../sizes.ts';

export type Unit = 'MB/s' | 'files/s' | 'ops/s' | 'IOPS' | 's' | 'ms';

/** What is measured, by the names of old. */
export type Metric = {
	readonly name: string;
	readonly unit: Unit;
	/** It changes files: measured until the command returns, and until S3 has everything. */
	readonly isWrite?: boolean;
	/** A bare client's stream is its ceiling. */
	readonly stream?: 'read' | 'write';
};

/** Files that a subject has in its bucket before a workload reads them; they are written once, through its mount. */
export type Fixture = 'large' | 'small 4k' | 'small 128k';

/** What other tools have put into the shared bucket; nobody changes it. */
export type SharedFixture = 'big directory' | 'tree' | 'stat';

/** Where a workload runs: a mounted subject. */
export interface Stage {
	readonly sizes: Sizes;
	/** The mount; fixtures lie right below it. */
	readonly top: string;
	/** An empty directory of the mount, for this run of the workload alone. */
	readonly directory: string;
	readonly local: LocalFiles;

	/** Mounts again with nothing cached. */
	makeCold(): Promise<void>;

	/** Ends the process and starts it again, with what it kept on disk. */
	restart(): Promise<void>;

	/** Puts objects below the directory past the file system; returns its path in the mount. */
	fill(name: string, count: number): Promise<string>;

	/**
	Runs a script and takes its time, which with the amount gives the metric; or reads the value in what it prints. A
	script that fails has not done what it should.
	*/
	measure(metric: string, script: string, how?: {amount: number} | {read: (stdout: string) => number}): Promise<void>;

	/** Runs a script that is not measured. */
	prepare(script: string): Promise<void>;
}

export type Workload = {
	/** For `--only`. */
	readonly name: string;
	/** For the report. */
	readonly what: string;
	readonly role: 'writes' | 'reads' | 'lists';
	/** A program beside the shell's. */
	readonly needs?: 'fio' | 'git';
	readonly fixture?: Fixture;
	readonly sharedFixture?: SharedFixture;
	readonly metrics: (sizes: Sizes) => readonly Metric[];
	readonly run: (stage: Stage) => Promise<void>;
};
