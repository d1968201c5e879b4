import {nearestOptionName} from '../model/volume-options.ts';

/** What the person at the keyboard has to type differently: exit code 2. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** What the parser of the command line found wrong, on one line; an unknown flag is told the nearest option. */
export const describeUsageError = (message: string): string => {
	const line = message.replaceAll(/\s*\n\s*/g, ' ').trim();
	const unknown = /^Unknown arguments?: ([^,\s]+)/.exec(line)?.[1];
	return unknown === undefined || unknown.length < 2 ? line : `${line}; did you mean --${nearestOptionName(unknown)}?`;
};
