import test from 'ava';
import {parseMountOptions} from '../../src/flexvolume/parse-mount-options.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const parse = (options: Record<string, unknown>) => parseMountOptions(JSON.stringify({name: 'bucket-1', ...options}));

test('parseMountOptions() reads what a kubelet sends', t => {
	const parsed = parseMountOptions(
		'{"kubernetes.io/fsType":"fuse","kubernetes.io/pod.name":"web-1","kubernetes.io/pod.namespace":"default","kubernetes.io/pod.uid":"6ddc","kubernetes.io/pvOrVolumeName":"pv-1","kubernetes.io/readwrite":"rw","kubernetes.io/serviceAccount.name":"default","kubernetes.io/mounterArgs.FsGroup":"1234","kubernetes.io/secret/accessKey":"QUtJRA==","kubernetes.io/secret/secretKey":"czNjciJldA==","name":"bucket-pv","prefix":"a \\u003c\\u0026\\u003e b"}',
	);
	t.like(parsed, {
		credentials: {accessKeyId: 'AKID', secretAccessKey: 's3cr"et'},
		fsGroup: 1234,
		pod: {name: 'web-1', namespace: 'default', uid: '6ddc'},
		volumeName: 'pv-1',
	});
	t.like(parsed.options, {name: 'bucket-pv', prefix: 'a <&> b', readOnly: false});
});

test('parseMountOptions() takes "Name" for "name", but not two different buckets', t => {
	t.is(parseMountOptions('{"Name":"bucket-1"}').options.name, 'bucket-1');
	t.is(parse({Name: 'bucket-1'}).options.name, 'bucket-1');
	t.throws(() => parse({Name: 'bucket-2'}), {message: /two different buckets/});
});

test('parseMountOptions() makes the volume read-only for "ro"', t => {
	t.true(parse({'kubernetes.io/readwrite': 'ro'}).options.readOnly);
	t.true(parse({'kubernetes.io/readwrite': 'rw', 'read-only': 'true'}).options.readOnly);
	t.throws(() => parse({'kubernetes.io/readwrite': 'wo'}), {message: /must be "ro" or "rw"/});
});

test('parseMountOptions() reads the fsGroup of old and new kubelets', t => {
	t.is(parse({'kubernetes.io/fsGroup': '33'}).fsGroup, 33);
	t.is(parse({'kubernetes.io/fsGroup': '33', 'kubernetes.io/mounterArgs.FsGroup': '34'}).fsGroup, 34);
	t.is(parse({}).fsGroup, undefined);
	for (const wrong of ['-1', 'www', '4294967295', '1.5']) {
		t.throws(() => parse({'kubernetes.io/mounterArgs.FsGroup': wrong}), {message: /fsGroup must be a whole number/});
	}
});

test('parseMountOptions() takes fsType "fuse" or none', t => {
	t.notThrows(() => parse({'kubernetes.io/fsType': ''}));
	t.notThrows(() => parse({'kubernetes.io/fsType': 'fuse'}));
	t.throws(() => parse({'kubernetes.io/fsType': 'ext4'}), {
		message: 'fsType must be "fuse" or left out: current value is "ext4"',
	});
});

test('parseMountOptions() takes every spelling of the credentials', t => {
	const expected = {accessKeyId: 'AKID', secretAccessKey: 'hush', sessionToken: 'token'};
	for (const [id, secret, token] of [
		['access-key-id', 'secret-access-key', 'session-token'],
		['accessKey', 'secretKey', 'sessionToken'],
		['accessKeyID', 'secretAccessKey', 'session-token'],
		['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
	] as const) {
		const {credentials} = parse({
			[`kubernetes.io/secret/${id}`]: base64('AKID\n'),
			[`kubernetes.io/secret/${secret}`]: base64('hush'),
			[`kubernetes.io/secret/${token}`]: base64('token'),
		});
		t.deepEqual(credentials, expected);
	}
});

test('parseMountOptions() refuses a Secret that it cannot use, and never quotes it', t => {
	const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
		[{'access-key-id': base64('AKID')}, /has no key "secret-access-key"/],
		[{password: base64('hush')}, /has no key "access-key-id"/],
		[
			{'access-key-id': 'not base64!', 'secret-access-key': base64('hush')},
			/"access-key-id" of the volume's Secret is not base64/,
		],
		[
			{'access-key-id': base64('AKID'), 'secret-access-key': base64(' ')},
			/"secret-access-key" of the volume's Secret is empty/,
		],
		[{'access-key-id': base64('AKID'), 'secret-access-key': base64('hu\0sh')}, /no AWS credential has/],
		[
			{'access-key-id': base64('AKID'), accessKey: base64('AKOTHER'), 'secret-access-key': base64('hush')},
			/two different values/,
		],
	];
	for (const [secrets, message] of cases) {
		const error = t.throws(
			() =>
				parse(
					Object.fromEntries(Object.entries(secrets).map(([key, value]) => [`kubernetes.io/secret/${key}`, value])),
				),
			{message},
		);
		t.false(/hush|AKID|AKOTHER/.test(error.message));
	}
});

test('parseMountOptions() names the nearest option for an unknown one', t => {
	t.throws(() => parse({quote: 'x'}), {message: /^Unknown option "quote"; did you mean "/});
	t.throws(() => parse({metadata_ttl: '5s'}), {message: 'Unknown option "metadata_ttl"; did you mean "metadata-ttl"?'});
});

test('parseMountOptions() leaves keys of a later kubelet alone', t => {
	t.notThrows(() => parse({'kubernetes.io/something.new': 'x'}));
});

test('parseMountOptions() refuses malformed JSON, and never quotes it', t => {
	for (const json of [
		'',
		'{',
		'null',
		'[]',
		'"x"',
		'{"name":"b"} {"kubernetes.io/secret/x":"hush"}',
		'{"name":"hush',
	]) {
		const error = t.throws(
			() => parseMountOptions(json),
			{message: /^Cannot mount: the options (are not valid JSON|must be a JSON object)/},
			json,
		);
		t.false(error.message.includes('hush'));
	}

	t.throws(() => parse({'cache-size': 5}), {message: /"cache-size" must be a string; put its value in quotes/});
});

test('parseMountOptions() refuses a missing bucket and what cannot be one', t => {
	t.throws(() => parseMountOptions('{}'), {message: /"name" is missing; set flexVolume.options.name/});
	for (const name of ['UPPER', 'ab', '../etc', 'a/b', 'host:80', '-start', 'a..b']) {
		t.throws(() => parse({name}), {message: /cannot be a bucket name: it must /}, name);
	}
});
