/**
Every option of a volume, defined once. The flags of the command line, the options of a FlexVolume, the help
texts and the README's table all come from `optionTable`. Outside, every value is a string.
*/
import {logLevels, type LogLevel} from './log-level.ts';

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
	readonly logLevel: LogLevel;
};

type OptionKind =
	| {kind: 'text'; pattern?: RegExp; patternHelp?: string}
	| {kind: 'boolean'}
	| {kind: 'integer'; min: number; max: number}
	| {kind: 'mode'}
	| {kind: 'bytes'; min: number; max: number; zeroHelp?: string}
	| {kind: 'duration'; minMs: number; maxMs: number}
	| {kind: 'choice'; choices: readonly string[]};

export type OptionDefinition = OptionKind & {
	/** As users write it. */
	readonly name: string;
	readonly field: keyof VolumeOptions;
	/** As users would write it. */
	readonly default: string;
	readonly unit: string;
	/** One line of help. */
	readonly help: string;
};

const mebibyte = 2 ** 20;
const tebibyte = 2 ** 40;

export const optionTable: readonly OptionDefinition[] = [
	{name: 'name', field: 'name', kind: 'text', default: '', unit: 'bucket', help: 'The bucket. `Name` is accepted too.'},
	{
		name: 'prefix',
		field: 'prefix',
		kind: 'text',
		pattern: /^.{0,1024}$/s,
		patternHelp: 'at most 1024 characters, as S3 has it for keys',
		default: '',
		unit: 'key prefix',
		help: 'Mount only the keys below this prefix.',
	},
	{
		name: 'region',
		field: 'region',
		kind: 'text',
		pattern: /^[a-z0-9-]{2,32}$/,
		patternHelp: 'a region such as eu-central-1',
		default: 'us-east-1',
		unit: 'region',
		help: 'Region of the bucket; a new bucket is created there.',
	},
	{
		name: 'endpoint',
		field: 'endpoint',
		kind: 'text',
		pattern: /^$|^https?:\/\/[^\s/?#@]{1,260}\/?$/,
		patternHelp: 'http://HOST[:PORT] or https://HOST[:PORT]',
		default: '',
		unit: 'URL',
		help: 'S3 endpoint of another provider (MinIO, Ceph, R2); empty: AWS.',
	},
	{
		name: 'path-style',
		field: 'pathStyle',
		kind: 'boolean',
		default: 'false',
		unit: 'true, false',
		help: 'Address the bucket in the path instead of the host name.',
	},
	{
		name: 'provision',
		field: 'provision',
		kind: 'boolean',
		default: 'true',
		unit: 'true, false',
		help: 'Create the bucket when it does not exist.',
	},
	{
		name: 'versioning',
		field: 'versioning',
		kind: 'boolean',
		default: 'true',
		unit: 'true, false',
		help: 'Turn versioning on in a bucket that we create.',
	},
	{
		name: 'encryption',
		field: 'encryption',
		kind: 'text',
		pattern: /^$|^sse-s3$|^sse-kms:[\w:/+=,.@-]{1,2048}$/,
		patternHelp: 'sse-s3 or sse-kms:<alias or ARN>',
		default: '',
		unit: 'sse-s3, sse-kms:KEY',
		help: 'Default encryption of a bucket that we create; empty: as the provider does it.',
	},
	{
		name: 'read-only',
		field: 'readOnly',
		kind: 'boolean',
		default: 'false',
		unit: 'true, false',
		help: 'Refuse every change with EROFS before anything is sent.',
	},
	{
		name: 'uid',
		field: 'uid',
		kind: 'integer',
		min: 0,
		max: 4_294_967_294,
		default: '0',
		unit: 'user id',
		help: 'Owner of files that have no owner of their own.',
	},
	{
		name: 'gid',
		field: 'gid',
		kind: 'integer',
		min: 0,
		max: 4_294_967_294,
		default: '0',
		unit: 'group id',
		help: 'Group of files that have no group of their own.',
	},
	{
		name: 'file-mode',
		field: 'fileMode',
		kind: 'mode',
		default: '0644',
		unit: 'octal mode',
		help: 'Mode of files that have no mode of their own.',
	},
	{
		name: 'dir-mode',
		field: 'dirMode',
		kind: 'mode',
		default: '0755',
		unit: 'octal mode',
		help: 'Mode of directories that have no mode of their own.',
	},
	{
		name: 'attributes',
		field: 'attributes',
		kind: 'choice',
		choices: ['posix', 'uniform'],
		default: 'posix',
		unit: 'posix, uniform',
		help: 'posix: each file has owner, mode and times of its own; uniform: all the same, and listings need no request per file.',
	},
	{
		name: 'metadata-ttl',
		field: 'metadataTtlMs',
		kind: 'duration',
		minMs: 0,
		maxMs: 86_400_000,
		default: '1s',
		unit: 'duration (ms, s, m, h)',
		help: 'How old attributes and listings may be at most.',
	},
	{
		name: 'consistency',
		field: 'consistency',
		kind: 'choice',
		choices: ['close-to-open', 'ttl'],
		default: 'close-to-open',
		unit: 'close-to-open, ttl',
		help: 'close-to-open: every open asks S3; ttl: opens trust what is younger than metadata-ttl.',
	},
	{
		name: 'cache-size',
		field: 'cacheBytesMax',
		kind: 'bytes',
		min: 0,
		max: 64 * tebibyte,
		zeroHelp: 'no disk cache',
		default: '4GiB',
		unit: 'bytes (KiB, MiB, GiB)',
		help: 'Disk space for blocks that were read; 0: none.',
	},
	{
		name: 'memory',
		field: 'memoryBytesMax',
		kind: 'bytes',
		min: 0,
		max: tebibyte,
		zeroHelp: 'sized from the cgroup',
		default: '0',
		unit: 'bytes (KiB, MiB, GiB)',
		help: 'Memory for data in flight, reads and writes together; 0: sized from the cgroup limit.',
	},
	{
		name: 'durability',
		field: 'durability',
		kind: 'choice',
		choices: ['close', 'journal'],
		default: 'close',
		unit: 'close, journal',
		help: 'close: close() and fsync() return when S3 has the bytes; journal: when the journal on local disk has them.',
	},
	{
		name: 'staging-size',
		field: 'stagingBytesMax',
		kind: 'bytes',
		min: 64 * mebibyte,
		max: 64 * tebibyte,
		default: '64GiB',
		unit: 'bytes (KiB, MiB, GiB)',
		help: 'Disk space for bytes that are not in S3 yet; more gives ENOSPC.',
	},
	{
		name: 'part-size',
		field: 'partBytes',
		kind: 'bytes',
		min: 5 * mebibyte,
		max: 512 * mebibyte,
		default: '8MiB',
		unit: 'bytes (KiB, MiB, GiB)',
		help: 'Size of the parts of large uploads and reads; grows by itself where 10,000 parts are not enough.',
	},
	{
		name: 'timeout',
		field: 'timeoutMs',
		kind: 'duration',
		minMs: 1000,
		maxMs: 3_600_000,
		default: '30s',
		unit: 'duration (ms, s, m, h)',
		help: 'How long one operation keeps trying to reach S3 before it fails.',
	},
	{
		name: 'log-level',
		field: 'logLevel',
		kind: 'choice',
		choices: logLevels,
		default: 'info',
		unit: 'level',
		help: 'Least severe message that is logged.',
	},
];

/** An option that its author has to change; the message names the option, the value and the rule. */
export class OptionError extends Error {
	override readonly name = 'OptionError';
}

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

const formatOptionValue = (definition: OptionDefinition, value: string | number | boolean): string => {
	switch (definition.kind) {
		case 'mode': {
			return `0${Number(value).toString(8)}`;
		}

		case 'duration': {
			return `${value}ms`;
		}

		case 'text':
		case 'boolean':
		case 'integer':
		case 'bytes':
		case 'choice': {
			return String(value);
		}
	}
};

export const parseOptionValue = (definition: OptionDefinition, value: string): string | number | boolean => {
	const wrong = (rule: string) =>
		new OptionError(`Option "${definition.name}" must be ${rule}: current value is "${printable(value)}"`);
	switch (definition.kind) {
		case 'text': {
			if (/[\0-\u001F\u007F]/.test(value)) {
				throw wrong('text without control characters');
			}

			if (definition.pattern !== undefined && !definition.pattern.test(value)) {
				throw wrong(definition.patternHelp ?? `like ${String(definition.pattern)}`);
			}

			return value;
		}

		case 'boolean': {
			if (value === 'true' || value === 'false') {
				return value === 'true';
			}

			throw wrong('"true" or "false"');
		}

		case 'integer': {
			const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
			if (number >= definition.min && number <= definition.max) {
				return number;
			}

			throw wrong(`a whole number from ${definition.min} to ${definition.max}`);
		}

		case 'mode': {
			if (/^0?[0-7]{3,4}$/.test(value)) {
				return Number.parseInt(value, 8);
			}

			throw wrong('an octal mode such as 0644');
		}

		case 'bytes': {
			const bytes = parseBytes(value);
			if (
				bytes !== undefined &&
				((bytes === 0 && definition.zeroHelp !== undefined) || (bytes >= definition.min && bytes <= definition.max))
			) {
				return bytes;
			}

			throw wrong(`a size from ${formatBytes(definition.min)} to ${formatBytes(definition.max)}, such as 512MiB`);
		}

		case 'duration': {
			const durationMs = parseDurationMs(value);
			if (durationMs !== undefined && durationMs >= definition.minMs && durationMs <= definition.maxMs) {
				return durationMs;
			}

			throw wrong(`a duration from ${definition.minMs}ms to ${definition.maxMs / 1000}s, such as 500ms, 1s or 5m`);
		}

		case 'choice': {
			if (definition.choices.includes(value)) {
				return value;
			}

			throw wrong(`one of ${definition.choices.join(', ')}`);
		}
	}
};

const byteUnits: Readonly<Record<string, number>> = {
	'': 1,
	b: 1,
	k: 2 ** 10,
	ki: 2 ** 10,
	kib: 2 ** 10,
	kb: 1e3,
	m: 2 ** 20,
	mi: 2 ** 20,
	mib: 2 ** 20,
	mb: 1e6,
	g: 2 ** 30,
	gi: 2 ** 30,
	gib: 2 ** 30,
	gb: 1e9,
	t: 2 ** 40,
	ti: 2 ** 40,
	tib: 2 ** 40,
	tb: 1e12,
};

const parseBytes = (value: string): number | undefined => {
	const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(value);
	const unit = byteUnits[match?.[2]?.toLowerCase() ?? 'none'];
	const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
	return Number.isSafeInteger(bytes) ? bytes : undefined;
};

/** A size for people: `512 MiB`. */
export const formatBytes = (bytes: number): string => {
	const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
	let value = bytes;
	let index = 0;
	while (value >= 1024 && index < units.length - 1) {
		value /= 1024;
		index++;
	}

	return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[index]}`;
};

const parseDurationMs = (value: string): number | undefined => {
	const match = /^(\d{1,9}(?:\.\d{1,6})?) ?(ms|s|m|h)?$/.exec(value);
	const unitMs = {ms: 1, s: 1000, m: 60_000, h: 3_600_000}[match?.[2] ?? 's'] ?? Number.NaN;
	const durationMs = match === null ? Number.NaN : Math.round(Number(match[1]) * unitMs);
	return Number.isSafeInteger(durationMs) ? durationMs : undefined;
};

/** The known option name with the fewest edits to the given one. */
export const nearestOptionName = (name: string): string =>
	nearestName(
		name,
		optionTable.map(option => option.name),
	).nearest;

/** The candidate with the fewest edits to a name, and how many. */
export const nearestName = (name: string, candidates: readonly string[]): {nearest: string; distance: number} => {
	let nearest = candidates[0] ?? '';
	let nearestDistance = Number.POSITIVE_INFINITY;
	for (const candidate of candidates) {
		const distance = editDistance(name.toLowerCase().replaceAll('_', '-').slice(0, 64), candidate);
		if (distance < nearestDistance) {
			nearest = candidate;
			nearestDistance = distance;
		}
	}

	return {nearest, distance: nearestDistance};
};

const editDistance = (a: string, b: string): number => {
	let previous = Array.from({length: b.length + 1}, (_, index) => index);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
			current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
		}

		previous = current;
	}

	return previous[b.length]!;
};

/** A value from outside, fit for one line of a message, without the password that a URL may have in it. */
const printable = (value: string): string =>
	value
		.replaceAll(/[\0-\u001F\u007F]/g, '?')
		.replaceAll(/\/\/.*@/g, '//[redacted]@')
		.slice(0, 80);
