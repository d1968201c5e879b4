import type {Row} from '../results.ts';
import type {Unit} from '../workloads/workload.ts';
import {summarize} from './statistics.ts';

export type ReportedSubject = {
	readonly name: string;
	readonly version: string;
	readonly isPeer: boolean;
	readonly waitsForS3: boolean;
};

export type Ratio = {
	/** More than 1: better than the peer. */
	readonly ratio: number;
	readonly peer: string;
	/** No peer came to an end: the ratio is that to the bound which it exceeded, and the real one is larger. */
	readonly isAtLeast: boolean;
};

export const isHigherBetter = (unit: Unit): boolean => unit !== 's' && unit !== 'ms';

/**
How much better a subject is than the best peer; `undefined` for a peer, and where there is nothing to compare. Until
the command returns, a subject that waits for S3 is compared with peers that wait for it too; until S3 has everything,
each is compared with all.
*/
export const compare = (row: Row, name: string, subjects: readonly ReportedSubject[]): Ratio | undefined => {
	const subject = subjects.find(each => each.name === name);
	const own = valueOf(row, name);
	if (subject === undefined || subject.isPeer || own === undefined) {
		return undefined;
	}

	const isAlike = (peer: ReportedSubject): boolean =>
		row.metric.isWrite !== true || row.stretch === 'uploaded' || !subject.waitsForS3 || peer.waitsForS3;
	const ratioTo = (value: number): number => (isHigherBetter(row.metric.unit) ? own / value : value / own);
	const ratios = subjects
		.filter(peer => peer.isPeer && isAlike(peer))
		.flatMap((peer): Ratio[] => {
			const value = valueOf(row, peer.name);
			const bound = row.cells.find(cell => cell.subject === peer.name)?.bound;
			const other = value ?? bound;
			return other === undefined ? [] : [{ratio: ratioTo(other), peer: peer.name, isAtLeast: value === undefined}];
		});
	// A peer that came to an end counts before one of which only a bound is known.
	const ended = ratios.filter(({isAtLeast}) => !isAtLeast);
	return (ended.length > 0 ? ended : ratios).toSorted((a, b) => a.ratio - b.ratio)[0];
};

const valueOf = (row: Row, subject: string): number | undefined => {
	const cell = row.cells.find(each => each.subject === subject);
	return cell === undefined ? undefined : summarize(cell)?.value;
};
