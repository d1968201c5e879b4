import test from 'ava';
import {builtInPolicy, parseNodePolicy} from '../../src/policy/node-policy.ts';
import {PolicyError} from '../../src/policy/policy-error.ts';

const rule = (fields: object) => JSON.stringify({rules: [{namespaces: ['web'], ...fields}]});

test('parseNodePolicy() of a policy that says nothing is the built-in one', t => {
	for (const text of ['{}', '{"rules": []}', '{"version": "1", "comment": "nothing yet", "rules": []}']) {
		t.deepEqual(parseNodePolicy(text), builtInPolicy);
	}
});

test('parseNodePolicy() reads every key', t => {
	const policy = parseNodePolicy(
		JSON.stringify({
			version: '1',
			cluster: 'production-1',
			comment: 'for the whole',
			rules: [
				{
					comment: 'for the rule',
					namespaces: ['team-*'],
					withNodeCredentials: {
						comment: 'and below',
						ownBuckets: false,
						create: false,
						endpoints: ['aws', 'https://minio.example.com'],
						buckets: [{bucket: 'shared', prefix: '/{namespace}/'}],
					},
					withSecret: false,
					limits: {'cache-size': '1GiB'},
					forbidOptions: ['uid'],
				},
			],
		}),
	);
	t.is(policy.cluster, 'production-1');
	const [parsed] = policy.rules;
	t.like(parsed, {
		place: 'rules[0]',
		withSecret: undefined,
		withNodeCredentials: {isOwnBucketAllowed: false, isCreationAllowed: false},
	});
	t.deepEqual(
		parsed!.withNodeCredentials!.buckets.map(({bucket, prefix}) => [bucket.text, prefix?.text]),
		[['shared', '{namespace}']],
	);
	t.deepEqual(
		parsed!.limits.map(({definition, bytesMax}) => [definition.name, bytesMax]),
		[['cache-size', 2 ** 30]],
	);
	t.deepEqual(
		parsed!.forbiddenOptions.map(({name}) => name),
		['uid'],
	);
});

const wrong: ReadonlyArray<readonly [string, RegExp]> = [
	['', /not valid JSON/],
	['{"rules": [}', /not valid JSON/],
	['[]', /it must be an object, in braces/],
	['null', /it must be an object/],
	['{"version": 1}', /at version: it must be a string/],
	['{"version": "2"}', /at version: it must be "1"/],
	['{"cluster": "a b"}', /at cluster: it must be a name/],
	['{"rule": []}', /at rule: there is no such key; did you mean "rules"\?/],
	['{"rules": {}}', /at rules: it must be a list/],
	['{"rules": [], "rules": []}', /at rules: this key is there twice/],
	[
		'{"rules": [{"namespaces": ["web"], "withSecret": {"create": true, "cr\\u0065ate": false}}]}',
		/at rules\.0\.withSecret\.create: this key is there twice/,
	],
	['{"__proto__": {"rules": []}}', /at __proto__: there is no such key/],
	['{"rules": ["web"]}', /at rules\[0\]: it must be an object/],
	['{"rules": [{}]}', /at rules\[0\]: it needs "namespaces"/],
	['{"rules": [{"namespaces": []}]}', /at rules\[0\]: it needs "namespaces"/],
	['{"rules": [{"namespaces": ["Web"]}]}', /at rules\[0\]\.namespaces\[0\]: "Web" must be the name of a namespace/],
	['{"rules": [{"namespaces": ["{namespace}"]}]}', /must be the name of a namespace/],
	['{"rules": [{"namespaces": [1]}]}', /at rules\[0\]\.namespaces\[0\]: it must be a string/],
	[
		rule({withNodeCredential: false}),
		/at rules\[0\]\.withNodeCredential: there is no such key; did you mean "withNodeCredentials"\?/,
	],
	[rule({withSecret: 'no'}), /at rules\[0\]\.withSecret: it must be an object/],
	[rule({withSecret: {create: 'false'}}), /at rules\[0\]\.withSecret\.create: it must be true or false/],
	[rule({withSecret: {bucket: []}}), /did you mean "buckets"\?/],
	[rule({withSecret: {buckets: ['media']}}), /at rules\[0\]\.withSecret\.buckets\[0\]: it must be an object/],
	[rule({withSecret: {buckets: [{prefix: 'a'}]}}), /it needs "bucket"/],
	[rule({withSecret: {buckets: [{bucket: 'Media'}]}}), /buckets\[0\]\.bucket: "Media" must be the name of a bucket/],
	[rule({withSecret: {buckets: [{bucket: 'a/b'}]}}), /must be the name of a bucket/],
	[rule({withSecret: {buckets: [{bucket: '{name}'}]}}), /must be the name of a bucket/],
	[rule({withSecret: {buckets: [{bucket: '{namespace}-*'}]}}), /lets one namespace use what is meant for another/],
	[
		rule({withSecret: {buckets: [{bucket: 'm', prefix: 'a/../b'}]}}),
		/buckets\[0\]\.prefix: "a\/\.\.\/b" must not have empty components, "\." or "\.\."/,
	],
	[rule({withSecret: {buckets: [{bucket: 'm', prefix: '{ns}/x'}]}}), /must not have braces other than "\{namespace\}"/],
	[rule({withSecret: {buckets: [{bucket: 'm', prefix: 'x-*{namespace}'}]}}), /lets one namespace use/],
	[
		rule({withSecret: {endpoints: ['minio.example.com']}}),
		/endpoints\[0\]: "minio\.example\.com" must be "aws", "\*", or a URL/,
	],
	[rule({withSecret: {endpoints: ['https://user@minio']}}), /must be "aws"/],
	[rule({withSecret: {endpoints: ['https://minio/path']}}), /must be "aws"/],
	[
		rule({limits: {uid: '1'}}),
		/at rules\[0\]\.limits\.uid: no option of this name is a size; those that are one: cache-size, memory/,
	],
	[rule({limits: {'cache-size': 'big'}}), /at rules\[0\]\.limits\.cache-size: Option "cache-size" must be a size/],
	[rule({limits: {memory: '0'}}), /0 cannot limit memory/],
	[rule({limits: {'cache-size': 1}}), /it must be a string in quotes/],
	[
		rule({forbidOptions: ['uuid']}),
		/at rules\[0\]\.forbidOptions\[0\]: "uuid" is not an option that can be forbidden; did you mean "uid"\?/,
	],
	[rule({forbidOptions: ['name']}), /"name" is not an option that can be forbidden/],
	[rule({withSecret: {buckets: [{bucket: 'a*b*c*d*e*'}]}}), /must not have more than 4 "\*"/],
];

for (const [text, message] of wrong) {
	test(`parseNodePolicy() says what is wrong with ${text.slice(0, 100) || 'an empty file'}`, t => {
		const error = t.throws(() => parseNodePolicy(text), {instanceOf: PolicyError});
		t.regex(error.message, message);
		t.regex(error.message, /^The node policy is wrong/);
	});
}

test('parseNodePolicy() takes a key that repeats in another object, and braces in texts', t => {
	t.notThrows(() =>
		parseNodePolicy(
			'{"rules": [{"namespaces": ["a"], "comment": "{\\"rules\\": 1, \\"rules\\""}, {"namespaces": ["b"], "comment": "]"}], "comment": "x"}',
		),
	);
});
