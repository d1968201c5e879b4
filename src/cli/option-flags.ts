import type {Argv} from 'yargs';
import {checkBucketName} from '../model/bucket-name.ts';
import {optionTable} from '../model/option-table.ts';
import {parseVolumeOptions, type VolumeOptions} from '../model/volume-options.ts';
import {UsageError} from './usage-error.ts';

const flagged = optionTable.filter(({name}) => name !== 'name');

/**
Adds a flag for each option of a volume but its bucket, or for those named; values stay strings, for one parser to
read on every surface.
*/
export const addFlags = <Arguments>(yargs: Argv<Arguments>, names?: readonly string[]): Argv<Arguments> => {
	for (const definition of flagged.filter(({name}) => names?.includes(name) ?? true)) {
		yargs.option(definition.name, {
			type: definition.kind === 'boolean' ? 'boolean' : 'string',
			requiresArg: definition.kind !== 'boolean',
			describe: definition.help,
			defaultDescription: definition.default === '' ? 'none' : definition.default,
			group: 'The volume:',
		});
	}

	return yargs;
};

/** The options of a volume from parsed flags. Malformed values are `OptionError`s. */
export const parseVolumeFlags = (bucket: string, flags: Readonly<Record<string, unknown>>): VolumeOptions => {
	const wrongName = checkBucketName(bucket);
	if (wrongName !== undefined) {
		throw new UsageError(wrongName);
	}

	const values: Record<string, string> = {name: bucket};
	for (const {name} of flagged) {
		const value = flags[name];
		if (typeof value === 'string' || typeof value === 'boolean') {
			values[name] = String(value);
		}
	}

	return parseVolumeOptions(values);
};
