import test from 'ava';
import {formatBytes} from '../../src/model/byte-size.ts';
import {optionTable} from '../../src/model/option-table.ts';
import {OptionError} from '../../src/model/option-value.ts';
import {formatVolumeOptions, nearestOptionName, parseVolumeOptions} from '../../src/model/volume-options.ts';

for (const [name, value, field, expected] of [
	['name', 'my-files', 'name', 'my-files'],
	['prefix', 'a/b', 'prefix', 'a/b'],
	['region', 'eu-central-1', 'region', 'eu-central-1'],
	['endpoint', 'http://127.0.0.1:9000', 'endpoint', 'http://127.0.0.1:9000'],
	['endpoint', '', 'endpoint', ''],
	['path-style', 'true', 'pathStyle', true],
	['encryption', 'sse-kms:alias/mine', 'encryption', 'sse-kms:alias/mine'],
	['uid', '0', 'uid', 0],
	['gid', '4294967294', 'gid', 4_294_967_294],
	['file-mode', '640', 'fileMode', 0o640],
	['dir-mode', '02770', 'dirMode', 0o2770],
	['metadata-ttl', '0', 'metadataTtlMs', 0],
	['metadata-ttl', '1.5', 'metadataTtlMs', 1500],
	['metadata-ttl', '250ms', 'metadataTtlMs', 250],
	['metadata-ttl', '2h', 'metadataTtlMs', 7_200_000],
	['cache-size', '0', 'cacheBytesMax', 0],
	['cache-size', '1.5GiB', 'cacheBytesMax', 1.5 * 2 ** 30],
	['cache-size', '10 MB', 'cacheBytesMax', 10_000_000],
	['cache-size', '512m', 'cacheBytesMax', 512 * 2 ** 20],
	['part-size', '5MiB', 'partBytes', 5 * 2 ** 20],
	['durability', 'journal', 'durability', 'journal'],
] as const) {
	test(`parseVolumeOptions() reads ${name}=${value}`, t => {
		t.is(parseVolumeOptions({[name]: value})[field], expected);
	});
}

for (const [name, value, rule] of [
	['region', 'EU', /"region" must be a region such as eu-central-1: current value is "EU"/],
	['endpoint', 'ftp://host', /must be http:\/\/HOST\[:PORT\]/],
	['endpoint', 'http://user:secret/@host', /must be http.*: current value is "http:\/\/\[redacted\]@host"$/],
	['path-style', 'yes', /must be "true" or "false": current value is "yes"/],
	['uid', '-1', /whole number from 0 to 4294967294/],
	['uid', '4294967295', /whole number/],
	['uid', '1.5', /whole number/],
	['file-mode', '0999', /octal mode such as 0644/],
	['file-mode', '7', /octal mode/],
	['cache-size', '-5', /must be a size/],
	['cache-size', '5 parsecs', /must be a size/],
	['cache-size', '65TiB', /to 64 TiB/],
	['part-size', '4MiB', /size from 5 MiB to 512 MiB, such as 512MiB: current value is "4MiB"/],
	['staging-size', '0', /size from 64 MiB/],
	['metadata-ttl', '-1s', /must be a duration/],
	['metadata-ttl', '25h', /must be a duration/],
	['timeout', '10ms', /must be a duration from 1000ms/],
	['durability', 'never', /one of close, journal/],
	['encryption', 'sse-kms:', /sse-kms:<alias or ARN>/],
	['name', 'a\nb', /without control characters: current value is "a\?b"/],
] as const) {
	test(`parseVolumeOptions() refuses ${name}=${JSON.stringify(value)} and says why`, t => {
		const error = t.throws(() => parseVolumeOptions({[name]: value}), {instanceOf: OptionError, message: rule});
		t.true(error.message.startsWith(`Option "${name}" must be `));
		t.notRegex(error.message, /\n/);
	});
}

for (const [wrong, right] of [
	['metadata_ttl', 'metadata-ttl'],
	['Region', 'region'],
	['cachesize', 'cache-size'],
	['readonly', 'read-only'],
	['durabilty', 'durability'],
] as const) {
	test(`an unknown option ${wrong} is an error that names ${right}`, t => {
		t.is(nearestOptionName(wrong), right);
		t.throws(() => parseVolumeOptions({[wrong]: 'x'}), {
			instanceOf: OptionError,
			message: `Unknown option "${wrong}"; did you mean "${right}"?`,
		});
	});
}

test('options that are formatted are read back the same, at their defaults and elsewhere', t => {
	for (const values of [
		{},
		{
			name: 'b',
			'file-mode': '0600',
			'dir-mode': '02770',
			'metadata-ttl': '1.5s',
			'cache-size': '1.5GiB',
			uid: '5',
			'read-only': 'true',
			endpoint: 'https://s3.example',
		},
	]) {
		const options = parseVolumeOptions(values);
		t.deepEqual(parseVolumeOptions(formatVolumeOptions(options)), options);
		t.deepEqual(
			Object.keys(formatVolumeOptions(options)),
			optionTable.map(({name}) => name),
		);
	}
});

test('parsed options cannot be changed', t => {
	t.true(Object.isFrozen(parseVolumeOptions({})));
});

test('every option is in the table once, with help, a unit and a default that is allowed', t => {
	t.is(new Set(optionTable.map(({name}) => name)).size, optionTable.length);
	t.is(new Set(optionTable.map(({field}) => field)).size, optionTable.length);
	for (const {name, help, unit} of optionTable) {
		t.regex(help, /\.$/, name);
		t.not(unit, '', name);
	}
});

test('formatBytes() writes sizes for people', t => {
	t.deepEqual(
		[0, 1023, 1024, 1536, 5 * 2 ** 30, 3 * 2 ** 50].map(bytes => formatBytes(bytes)),
		['0 bytes', '1023 bytes', '1 KiB', '1.5 KiB', '5 GiB', '3072 TiB'],
	);
});
