import {logLevels} from './log-level.ts';
import type {VolumeOptions} from './volume-options.ts';

type OptionKind =
	| {kind: 'text'; pattern?: RegExp; patternHelp?: string}
	| {kind: 'boolean'}
	| {kind: 'integer'; min: number; max: number}
	| {kind: 'mode'}
	| {kind: 'bytes'; min: number; max: number}
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

/**
Every option of a volume, defined once. The flags of the command line, the options of a FlexVolume, the help
texts and the README's table all come from here. Outside, every value is a string.
*/
// biome-ignore format: a table of short entries is easier to read than 250 lines.
export const optionTable: readonly OptionDefinition[] = [
	{name: 'name', field: 'name', kind: 'text', default: '', unit: 'bucket',
		help: 'The bucket. `Name` is accepted too.'},
	{name: 'prefix', field: 'prefix', kind: 'text', pattern: /^.{0,1024}$/s, patternHelp: 'at most 1024 characters, the limit of S3 for keys',
		default: '', unit: 'key prefix',
		help: 'Mount only the keys below this prefix.'},
	{name: 'region', field: 'region', kind: 'text', pattern: /^[a-z0-9-]{2,32}$/, patternHelp: 'a region such as eu-central-1',
		default: 'us-east-1', unit: 'region',
		help: 'Region of the bucket; a new bucket is created there.'},
	{name: 'endpoint', field: 'endpoint', kind: 'text', pattern: /^$|^https?:\/\/[^\s/?#@]{1,260}\/?$/,
		patternHelp: 'http://HOST[:PORT] or https://HOST[:PORT]', default: '', unit: 'URL',
		help: 'S3 endpoint of another provider (MinIO, Ceph, R2); empty: AWS.'},
	{name: 'path-style', field: 'pathStyle', kind: 'boolean', default: 'false', unit: 'true, false',
		help: 'Address the bucket in the path instead of the host name.'},
	{name: 'provision', field: 'provision', kind: 'boolean', default: 'true', unit: 'true, false',
		help: 'Create the bucket when it does not exist.'},
	{name: 'versioning', field: 'versioning', kind: 'boolean', default: 'true', unit: 'true, false',
		help: 'Turn on versioning in a bucket that pnx-volume creates.'},
	{name: 'encryption', field: 'encryption', kind: 'text', pattern: /^$|^sse-s3$|^sse-kms:[\w:/+=,.@-]{1,2048}$/,
		patternHelp: 'sse-s3 or sse-kms:<alias or ARN>', default: '', unit: 'sse-s3, sse-kms:KEY',
		help: 'Default encryption of a bucket that pnx-volume creates; empty: the default of the provider.'},
	{name: 'read-only', field: 'readOnly', kind: 'boolean', default: 'false', unit: 'true, false',
		help: 'Refuse every change with EROFS before anything is sent.'},
	{name: 'uid', field: 'uid', kind: 'integer', min: 0, max: 4_294_967_294, default: '0', unit: 'user id',
		help: 'Owner of files that have no owner of their own.'},
	{name: 'gid', field: 'gid', kind: 'integer', min: 0, max: 4_294_967_294, default: '0', unit: 'group id',
		help: 'Group of files that have no group of their own.'},
	{name: 'file-mode', field: 'fileMode', kind: 'mode', default: '0644', unit: 'octal mode',
		help: 'Mode of files that have no mode of their own.'},
	{name: 'dir-mode', field: 'dirMode', kind: 'mode', default: '0755', unit: 'octal mode',
		help: 'Mode of directories that have no mode of their own.'},
	{name: 'attributes', field: 'attributes', kind: 'choice', choices: ['posix', 'uniform'],
		default: 'posix', unit: 'posix, uniform',
		help: 'posix: each file has its own owner, mode and times; uniform: all have the same, and listings need no request per file.'},
	{name: 'metadata-ttl', field: 'metadataTtlMs', kind: 'duration', minMs: 0, maxMs: 86_400_000,
		default: '1s', unit: 'duration (ms, s, m, h)',
		help: 'Maximum age of cached attributes and listings.'},
	{name: 'consistency', field: 'consistency', kind: 'choice', choices: ['close-to-open', 'ttl'],
		default: 'close-to-open', unit: 'close-to-open, ttl',
		help: 'close-to-open: every open asks S3; ttl: an open trusts attributes younger than metadata-ttl.'},
	{name: 'cache-size', field: 'cacheBytesMax', kind: 'bytes', min: 0, max: 64 * tebibyte,
		default: '4GiB', unit: 'bytes (KiB, MiB, GiB)',
		help: 'Disk space for blocks that were read; 0: none.'},
	{name: 'memory', field: 'memoryBytesMax', kind: 'bytes', min: 0, max: tebibyte,
		default: '0', unit: 'bytes (KiB, MiB, GiB)',
		help: 'Memory for data in flight, reads and writes together; 0: sized from the cgroup limit.'},
	{name: 'durability', field: 'durability', kind: 'choice', choices: ['close', 'journal'],
		default: 'close', unit: 'close, journal',
		help: 'close: close() and fsync() return when S3 has the bytes; journal: when the journal on local disk has them.'},
	{name: 'staging-size', field: 'stagingBytesMax', kind: 'bytes', min: 64 * mebibyte, max: 64 * tebibyte,
		default: '64GiB', unit: 'bytes (KiB, MiB, GiB)',
		help: 'Disk space for bytes that are not in S3 yet; when it is used up, writes fail with ENOSPC. '
			+ 'It counts blocks of 4 KiB, and 256 bytes for each separate change.'},
	{name: 'part-size', field: 'partBytes', kind: 'bytes', min: 5 * mebibyte, max: 512 * mebibyte,
		default: '8MiB', unit: 'bytes (KiB, MiB, GiB)',
		help: 'Size of the parts of large uploads and reads; it grows when 10,000 parts are not enough for a file.'},
	{name: 'timeout', field: 'timeoutMs', kind: 'duration', minMs: 1000, maxMs: 3_600_000,
		default: '30s', unit: 'duration (ms, s, m, h)',
		help: 'How long one operation keeps trying to reach S3 before it fails.'},
	{name: 'transport', field: 'transport', kind: 'choice', choices: ['native', 'kernel'], default: 'native', unit: 'native, kernel',
		help: 'How the daemon speaks with the kernel. native: through libfuse; kernel: by itself, for root only and Linux 5.4 or newer.'},
	{name: 'log-level', field: 'logLevel', kind: 'choice', choices: logLevels, default: 'info', unit: 'level',
		help: 'Lowest level of messages that are logged.'},
];
