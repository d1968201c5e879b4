import type {Check} from './check.ts';

/** Whether a script may go on: warnings do not count. */
export const isHealthy = (checks: readonly Check[]): boolean => checks.every(({status}) => status !== 'failed');

/** A line for each check, its remedy below it, and at the end what it comes to. */
export const formatChecks = (checks: readonly Check[]): string => {
	const nameWidth = Math.max(0, ...checks.map(({name}) => name.length));
	const lines = checks.flatMap(({name, status, found, remedy}) => [
		`${status.padEnd(7)}  ${name.padEnd(nameWidth)}  ${found}`,
		...(remedy === undefined ? [] : [`${' '.repeat(7 + 2 + nameWidth + 2)}-> ${remedy}`]),
	]);
	return `${[...lines, '', summarize(checks)].join('\n')}\n`;
};

const summarize = (checks: readonly Check[]): string => {
	const namesOf = (wanted: Check['status']): string[] =>
		checks.filter(({status}) => status === wanted).map(({name}) => name);
	const parts = (['failed', 'warning'] as const)
		.map(status => ({status, names: namesOf(status)}))
		.filter(({names}) => names.length > 0)
		.map(
			({status, names}) =>
				`${names.length} ${status === 'failed' ? 'failed' : names.length === 1 ? 'warning' : 'warnings'} (${names.join(', ')})`,
		);
	return `${checks.length} checks: ${parts.length === 0 ? 'nothing to do' : parts.join(', ')}`;
};
