/**
- `ok`: nothing to do.
- `warning`: it works, and somebody should look.
- `failed`: mounts do not work, or bytes are at stake.
- `skipped`: not looked at; `found` says why.
*/
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/**
The outcome of one check of `pnx-volume doctor`: what was found, in one line, and what to do when that is not good.
*/
export type Check = {
	readonly name: string;
	readonly status: CheckStatus;
	readonly found: string;
	readonly remedy?: string | undefined;
};

/** What is wrong in one of several things that a check looks at. */
export type Finding = {
	readonly status: 'warning' | 'failed';
	readonly found: string;
	readonly remedy: string;
};

const findingCountMax = 5;

/** One check out of everything that it found: as bad as the worst of it, the worst first, each remedy once. */
export const toCheck = (name: string, findings: readonly Finding[], good: string): Check => {
	if (findings.length === 0) {
		return {name, status: 'ok', found: good};
	}

	const sorted = findings.toSorted((a, b) => a.status.localeCompare(b.status)); // "failed" before "warning".
	const shown = sorted.slice(0, findingCountMax);
	const hiddenCount = sorted.length - shown.length;
	return {
		name,
		status: sorted[0]!.status, // There is at least one.
		found: shown.map(({found}) => found).join('; ') + (hiddenCount === 0 ? '' : `; and ${hiddenCount} more`),
		remedy: [...new Set(shown.map(({remedy}) => remedy))].join('; '),
	};
};
