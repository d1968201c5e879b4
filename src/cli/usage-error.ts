import {nearestName} from '../model/nearest-name.ts';
import {optionTable} from '../model/option-table.ts';

/** What the person at the keyboard has to type differently: exit code 2. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Flags of commands that are no options of a volume. */
const commandFlags = [
	'background',
	'debug',
	'directory',
	'force',
	'help',
	'json',
	'port',
	'timeout',
	'verbose',
	'version',
	'watch',
];

/**
What the parser of the command line found wrong, on one line; an unknown flag is told the known one that it
resembles.
*/
export const describeUsageError = (message: string): string => {
	const line = message.replaceAll(/\s*\n\s*/g, ' ').trim();
	const unknown = /^Unknown arguments?: ([^,\s]+)/.exec(line)?.[1];
	if (unknown === undefined || unknown.length < 2) {
		return line;
	}

	const flags = optionTable.map(({name}) => name).filter(name => name !== 'name');
	const {nearest, distance} = nearestName(unknown, [...flags, ...commandFlags]);
	return distance <= Math.max(1, unknown.length / 3) ? `${line}; did you mean --${nearest}?` : line;
};
