import type {Row} from '../results.ts';
import type {ReportedSubject} from './ratio.ts';

/** What one run found: report.json has it as it is, the others are made from it. */
export type Report = {
	readonly startedAt: string;
	readonly minutes: number;
	readonly machine: string;
	readonly load: string;
	readonly server: string;
	readonly commandLine: string;
	/** Wanted at most; slow steps are done less often. */
	readonly rounds: number;
	readonly subjects: readonly ReportedSubject[];
	/** Whom the run went on without, and why; what was left out. */
	readonly notes: readonly string[];
	/** What a bare client gets. */
	readonly ceilings: ReadonlyArray<{
		readonly latencyMs: number | undefined;
		readonly stream: 'read' | 'write';
		readonly megabytesPerSecond: number;
	}>;
	readonly rows: readonly Row[];
	readonly mounts: readonly MountFigure[];
};

/** How long a call of the driver takes. */
export type MountFigure = {
	readonly name: string;
	readonly unit: 's' | 'ms';
	readonly value: number;
	/** It is not to take longer. */
	readonly limit: number;
};
