import type {LogLevel} from './log-level.ts';
import {nearestName} from './nearest-name.ts';
import {optionTable} from './option-table.ts';
import {formatOptionValue, OptionError, parseOptionValue, printable} from './option-value.ts';

export type VolumeOptions = {
	readonly name: string;
	readonly prefix: string;
	readonly region: string;
	/** Empty: the AWS endpoint of the region. */
	readonly endpoint: string;
	readonly pathStyle: boolean;
	readonly provision: boolean;
	readonly versioning: boolean;
	/** `sse-s3`, `sse-kms:<key>`, or empty: as the bucket has it. */
	readonly encryption: string;
	readonly readOnly: boolean;
	readonly uid: number;
	readonly gid: number;
	readonly fileMode: number;
	readonly dirMode: number;
	readonly attributes: 'posix' | 'uniform';
	readonly metadataTtlMs: number;
	readonly consistency: 'close-to-open' | 'ttl';
	readonly cacheBytesMax: number;
	/** 0: sized from the cgroup's limit. */
	readonly memoryBytesMax: number;
	readonly durability: 'close' | 'journal';
	readonly stagingBytesMax: number;
	readonly partBytes: number;
	readonly timeoutMs: number;
	readonly transport: 'native' | 'kernel';
	readonly logLevel: LogLevel;
};

/**
Turns the strings of any surface into options. Unknown names, malformed values and values out of bounds are
`OptionError`s; the message for an unknown name says which known one is nearest.
*/
export const parseVolumeOptions = (values: Readonly<Record<string, string>>): VolumeOptions => {
	const parsed: Record<string, unknown> = {};
	for (const definition of optionTable) {
		parsed[definition.field] = parseOptionValue(definition, definition.default);
	}

	for (const [name, value] of Object.entries(values)) {
		const definition = optionTable.find(candidate => candidate.name === name);
		if (definition === undefined) {
			throw new OptionError(`Unknown option "${printable(name)}"; did you mean "${nearestOptionName(name)}"?`);
		}

		parsed[definition.field] = parseOptionValue(definition, value);
	}

	return Object.freeze(parsed) as VolumeOptions;
};

/** The values of options as strings, for handing them to another process: `parseVolumeOptions` reads them back. */
export const formatVolumeOptions = (options: VolumeOptions): Record<string, string> =>
	Object.fromEntries(
		optionTable.map(definition => [definition.name, formatOptionValue(definition, options[definition.field])]),
	);

/** The known option name with the fewest edits to the given one. */
export const nearestOptionName = (name: string): string =>
	nearestName(
		name,
		optionTable.map(option => option.name),
	).nearest;
