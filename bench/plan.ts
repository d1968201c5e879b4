import {execa} from 'execa';
import type {BenchOptions} from './bench-options.ts';
import type {ReportedSubject} from './reporting/ratio.ts';
import {pnxVolume, pnxVolumeJournal, pnxVolumeUniform} from './subjects/pnx-volume.ts';
import {rclone} from './subjects/rclone.ts';
import {s3fs} from './subjects/s3fs.ts';
import type {Subject} from './subjects/subject.ts';
import {allWorkloads} from './workloads/all-workloads.ts';
import type {Workload} from './workloads/workload.ts';

const allSubjects: readonly Subject[] = [pnxVolume, pnxVolumeJournal, pnxVolumeUniform, s3fs, rclone];

/** The name of the part that measures no mounted file system. */
export const mountPart = 'mount';

export type Plan = {
	readonly workloads: readonly Workload[];
	readonly subjects: ReadonlyArray<{readonly subject: Subject; readonly reported: ReportedSubject}>;
	readonly measuresMounts: boolean;
	/** Whom and what it goes on without, and why. */
	readonly notes: readonly string[];
};

/** What the options ask for, as far as this machine has it; fails for names that do not exist. */
export const makePlan = async ({only, subjects: wanted}: Pick<BenchOptions, 'only' | 'subjects'>): Promise<Plan> => {
	assertKnown('--only', only, [...allWorkloads.map(({name}) => name), mountPart]);
	assertKnown(
		'--subject',
		wanted,
		allSubjects.map(({name}) => name),
	);
	const notes: string[] = [];
	const subjects: Array<Plan['subjects'][number]> = [];
	for (const subject of allSubjects) {
		if (wanted.length > 0 && !wanted.includes(subject.name)) {
			continue;
		}

		try {
			const {name, isPeer, waitsForS3} = subject;
			subjects.push({subject, reported: {name, isPeer, waitsForS3, version: await subject.version()}});
		} catch {
			notes.push(
				`Without ${subject.name}: it is not installed (${subject.isPeer ? 'bench/setup' : 'npm run build'} does that).`,
			);
		}
	}

	const workloads: Workload[] = [];
	for (const workload of allWorkloads) {
		if (only.length > 0 && !only.includes(workload.name)) {
			continue;
		}

		if (workload.needs === undefined || (await isInstalled(workload.needs))) {
			workloads.push(workload);
		} else {
			notes.push(`Without ${workload.name}: ${workload.needs} is not installed (bench/setup does that).`);
		}
	}

	return {workloads, subjects, notes, measuresMounts: only.length === 0 || only.includes(mountPart)};
};

/** Who runs a workload. */
export const subjectsOf = ({role}: Workload, {subjects}: Plan): readonly Subject[] =>
	subjects.map(({subject}) => subject).filter(({roles}) => roles.includes(role));

const isInstalled = async (program: string): Promise<boolean> => {
	const {failed} = await execa(program, ['--version'], {reject: false});
	return !failed;
};

const assertKnown = (option: string, names: readonly string[], known: readonly string[]): void => {
	const unknown = names.find(name => !known.includes(name));
	if (unknown !== undefined) {
		throw new RangeError(`${option} has no "${unknown}"; there are: ${known.join(', ')}`);
	}
};
